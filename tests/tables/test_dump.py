"""Dumping schemas and restoring them: all that was there is there again, and nothing else."""

import datetime as dt
import shutil
import uuid
import warnings
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.configuration import Settings, changed
from djflow.errors import (
    ArchiveError,
    ConflictError,
    DuplicateError,
    InvalidArgumentError,
    MissingTableError,
    NativeTypeWarning,
)
from djflow.model.table import Table
from djflow.planner.nodes import Scan
from djflow.relation.database import Database
from djflow.tables.archive import content_hash, read_archive
from djflow.tables.archive.stored import all_columns, stored
from djflow.tables.schema import Schema


def tables_of(database: Database, schema: str) -> dict[str, Table]:
    return {table.name.table: table for table in database.catalog([schema]) if table.name.schema == schema}


def contents_of(database: Database, schema: str) -> dict[str, str]:
    from djflow.engine.run import streamed

    return {
        name: content_hash(streamed(database.session, Scan(stored(table))))
        for name, table in tables_of(database, schema).items()
    }


def at(database: Database, url: str, **more: Any) -> Settings:
    there = conninfo_to_dict(url)
    login = {key: str(value) for key, value in there.items() if key in ("host", "user", "password")}
    server = {**login, "port": int(there.get("port") or 5432), "name": there["dbname"]}
    return changed(database.settings, {"database": server, **more})


@pytest.fixture
def elsewhere(database: Database, empty_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty database with an empty store."""
    store = {"protocol": "file", "location": str(tmp_path / "other_store")}
    settings = at(database, empty_url, stores={"default": "local", "local": store})
    opened = Database(lambda: settings)
    yield opened
    opened.close()


@pytest.fixture
def copy_name(database: Database, schema_name: str) -> Iterator[str]:
    name = f"{schema_name}_copy"
    yield name
    database.query(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


@pytest.fixture
def everything(schema: Schema) -> Schema:
    """A schema with every type and codec, and every kind of reference."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NativeTypeWarning)
        declare_everything(schema)
    return schema


def declare_everything(schema: Schema) -> None:
    @schema
    class Species(dj.Lookup):
        definition = """
        # what it is
        species : varchar(20)   # name: as in "books", it's 'quoted'
        """
        contents = (("mouse",), ("rat \\ back",))

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        -> Species
        sex = 'U' : enum('M','F','U')
        i8 = null : int8
        i64 = null : int64
        f4 = null : float32
        f8 = null : float64
        yes = null : bool
        money = null : decimal(9,2)
        wide = null : decimal(50,3)
        code = null : char(5)
        day = null : date
        at = null : datetime
        at3 = null : datetime(3)
        raw = null : bytes
        meta = null : json
        uid = null : uuid
        words = null : text
        reals = null : real[]
        texts = null : text[]
        zoned = null : timestamptz
        clock = null : time
        lasts = null : interval
        free = null : numeric
        index (day, sex)
        unique index (uid)
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        -> [nullable] Subject.proj(mate='subject')
        note = null : <blob>
        arr = null : <npy@>
        big = null : <blob@>
        hashed = null : <hash@local>
        cube = null : <zarr@>
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int8
            ---
            rt = null : float64
            """

    @schema
    class Setup(dj.Lookup):
        definition = """
        ---
        rate : float64
        """

    @schema
    class Empty(dj.Manual):
        definition = """
        number : serial
        ---
        label = '' : varchar(9)
        """

    @schema
    class Result(dj.Computed):
        definition = """
        -> Session
        ---
        value : float64
        """
        job_metadata = True

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "value": 0.5})

    fill(Subject(), Session(), Session.Trial(), Setup())
    Result().populate()


def fill(subject: Any, session: Any, trial: Any, setup: Any) -> None:
    full = {
        "subject": 1,
        "species": "mouse",
        "sex": "F",
        "i8": -128,
        "i64": 2**63 - 1,
        "f4": float("nan"),
        "f8": -0.0,
        "yes": True,
        "money": Decimal("-1234567.89"),
        "wide": Decimal("12345678901234567890123456789012345678901234567.125"),
        "code": "ab",
        "day": dt.date(1600, 2, 29),
        "at": dt.datetime(2024, 1, 2, 3, 4, 5, 678901),
        "at3": dt.datetime(2024, 1, 2, 3, 4, 5, 678000),
        "raw": b"\x00\xff",
        "meta": {"k": [1, 2.5, None, 'ä"\\']},
        "uid": uuid.UUID(int=7),
        "words": 'tab\t, "quotes" \\N ; und Umlaute ä\n',
        "reals": [1.5, None],
        "texts": ["a", "", None, "{,}"],
        "zoned": dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
        "clock": dt.time(23, 59, 59, 999999),
        "lasts": dt.timedelta(days=-3, microseconds=5),
        "free": "12345678901234567890.000000000000000000001",
    }
    rows = [full, {"subject": 2, "species": "rat \\ back", "words": ""}, {"subject": 3, "species": "mouse"}]
    subject.insert(rows)
    subject.connection.query(
        f"UPDATE {subject.full_table_name} SET lasts = '1 mon -2 days 03:00:00' WHERE subject = 2"
    )
    session.insert1(
        {
            "subject": 1,
            "session": 1,
            "mate": 2,
            "note": {"a": np.arange(3)},
            "arr": np.arange(10),
            "big": np.ones((50, 50)),
            "hashed": b"shared",
            "cube": np.arange(24).reshape(2, 3, 4),
        }
    )
    session.insert(
        [{"subject": 2, "session": 1, "hashed": b"shared"}, {"subject": 3, "session": 1, "mate": 3}]
    )
    trial.insert([{"subject": 1, "session": 1, "trial": n, "rt": n / 3} for n in range(5)])
    setup.insert1({"rate": 30.0})


def test_a_schema_restored_elsewhere_is_the_same(
    everything: Schema, elsewhere: Database, tmp_path: Path
) -> None:
    summary = everything.dump(tmp_path / "kept")
    restored = dj.restore(tmp_path / "kept", connection=elsewhere)
    name = everything.database
    assert tables_of(elsewhere, name) == tables_of(everything.connection, name)
    assert contents_of(elsewhere, name) == contents_of(everything.connection, name)
    assert restored.inserted == summary.rows
    assert set(restored.created) == set(summary.rows)
    session = dj.FreeTable(elsewhere, tables_of(elsewhere, name)["session"]) & {"subject": 1}
    row: Any = session.fetch1()
    np.testing.assert_array_equal(np.asarray(row["arr"]), np.arange(10))
    np.testing.assert_array_equal(row["big"], np.ones((50, 50)))
    np.testing.assert_array_equal(row["cube"][:], np.arange(24).reshape(2, 3, 4))
    assert row["hashed"] == b"shared"


def test_a_read_only_role_can_dump(everything: Schema, server_url: str, tmp_path: Path) -> None:
    role = f"reader_{everything.database}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        connection.execute(f'GRANT USAGE ON SCHEMA "{everything.database}" TO {role}'.encode())
        connection.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{everything.database}" TO {role}'.encode())
    settings = at(everything.connection, server_url)
    settings = changed(settings, {"database": {"user": role}})
    reader = Database(lambda: settings)
    try:
        Schema(everything.database, connection=reader, create_schema=False).dump(tmp_path / "kept")
    finally:
        reader.close()
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())
    archive = read_archive(tmp_path / "kept")
    kept = {entry.table.name.table: entry.content for entry in archive.manifest.tables}
    assert kept == contents_of(everything.connection, everything.database)


def test_a_copy_under_another_name_has_rows_and_objects_of_its_own(
    everything: Schema, copy_name: str, tmp_path: Path
) -> None:
    database, name = everything.connection, everything.database
    everything.dump(tmp_path / "kept")
    dj.restore(tmp_path / "kept", schema=copy_name, connection=database)
    ours, theirs = tables_of(database, name), tables_of(database, copy_name)
    assert ours.keys() == theirs.keys()
    lineages = {column.lineage for table in theirs.values() for column in table.columns if column.lineage}
    assert all(lineage.startswith(f"{copy_name}.") for lineage in lineages)
    parents = {key.parent.schema for table in theirs.values() for key in table.foreign_keys}
    assert parents == {copy_name}
    stored_in = {
        path.relative_to(tmp_path / "store").parts[1] for path in (tmp_path / "store").rglob("*.npy")
    }
    assert stored_in == {name, copy_name}
    shutil.rmtree(tmp_path / "store" / "_schema" / name)
    shutil.rmtree(tmp_path / "store" / "_hash" / name)
    row: Any = (dj.FreeTable(database, theirs["session"]) & {"subject": 1}).fetch1()
    np.testing.assert_array_equal(np.asarray(row["arr"]), np.arange(10))
    np.testing.assert_array_equal(row["big"], np.ones((50, 50)))
    assert row["hashed"] == b"shared"
    assert row["cube"].shape == (2, 3, 4)


def test_a_schema_takes_an_archive_of_another_name(
    everything: Schema, elsewhere: Database, tmp_path: Path
) -> None:
    everything.dump(tmp_path / "kept")
    other = Schema("taken", connection=elsewhere)
    other.restore(tmp_path / "kept")
    assert len(other.list_tables()) == 7


def test_what_exists_is_an_error_unless_told_otherwise(everything: Schema, tmp_path: Path) -> None:
    database, name = everything.connection, everything.database
    before = contents_of(database, name)
    everything.dump(tmp_path / "kept")
    with pytest.raises(DuplicateError, match="on_conflict='skip'"):
        everything.restore(tmp_path / "kept")
    assert contents_of(database, name) == before
    for policy in ("skip", "match"):
        summary = dj.restore(tmp_path / "kept", on_conflict=policy, connection=database)
        assert set(summary.inserted.values()) == {0}
        assert summary.created == ()
        assert contents_of(database, name) == before


def test_skip_keeps_rows_that_differ_and_match_refuses_them(everything: Schema, tmp_path: Path) -> None:
    database, name = everything.connection, everything.database
    everything.dump(tmp_path / "kept")
    subject = dj.FreeTable(database, tables_of(database, name)["subject"])
    database.query(f"UPDATE {subject.full_table_name} SET words = 'changed' WHERE subject = 2")
    database.query(f'DELETE FROM "{name}"."#setup"')
    before = contents_of(database, name)
    with pytest.raises(ConflictError, match="words"):
        everything.restore(tmp_path / "kept", on_conflict="match")
    assert contents_of(database, name) == before
    summary = everything.restore(tmp_path / "kept", on_conflict="skip")
    assert {table.table: rows for table, rows in summary.inserted.items() if rows} == {"#setup": 1}
    assert (subject & {"subject": 2}).fetch1("words") == "changed"


def test_an_unknown_policy_is_refused(everything: Schema, tmp_path: Path) -> None:
    everything.dump(tmp_path / "kept")
    with pytest.raises(InvalidArgumentError, match="'skip'"):
        everything.restore(tmp_path / "kept", on_conflict="skipp")  # type: ignore[arg-type]


def test_rows_that_refer_to_each_other_come_back(schema: Schema, elsewhere: Database, tmp_path: Path) -> None:
    @schema
    class Person(dj.Manual):
        definition = """
        person : int32
        ---
        name : varchar(9)
        """

    @schema
    class Couple(dj.Manual):
        definition = """
        -> Person
        ---
        -> [nullable, unique] Person.proj(partner='person')
        """

    Person().insert((n, "x") for n in range(4))
    Couple().insert([(0, 1), (1, 0), (2, None)])
    name = schema.database
    schema.connection.query(
        f'ALTER TABLE "{name}".person ADD mentor integer REFERENCES "{name}".person ON UPDATE CASCADE'
    )
    schema.connection.query(f'UPDATE "{name}".person SET mentor = (person + 1) % 4')
    schema.dump(tmp_path / "kept")
    dj.restore(tmp_path / "kept", connection=elsewhere)
    assert tables_of(elsewhere, name) == tables_of(schema.connection, name)
    assert contents_of(elsewhere, name) == contents_of(schema.connection, name)
    elsewhere.query(f'DELETE FROM "{name}".couple')
    elsewhere.query(f'DELETE FROM "{name}".person')
    dj.restore(tmp_path / "kept", connection=elsewhere)
    assert contents_of(elsewhere, name) == contents_of(schema.connection, name)


def test_a_counter_goes_on_behind_the_rows_that_came_back(
    schema: Schema, elsewhere: Database, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NativeTypeWarning)

        @schema
        class Log(dj.Manual):
            definition = """
            number : serial
            ---
            text : varchar(9)
            """

    Log().insert([{"text": "a"}, {"text": "b"}])
    schema.dump(tmp_path / "kept")
    dj.restore(tmp_path / "kept", connection=elsewhere)
    log = dj.FreeTable(elsewhere, tables_of(elsewhere, schema.database)["log"])
    log.insert1({"text": "c"})
    assert sorted(log.to_arrays("number").tolist()) == [1, 2, 3]


@pytest.fixture
def child(schema: Schema, database: Database, copy_name: str) -> Schema:
    """A schema that refers to another one."""

    @schema
    class Parent(dj.Manual):
        definition = "parent : enum('a','b')"

    other = Schema(copy_name, connection=database)

    @other
    class Child(dj.Manual):
        definition = """
        -> Parent
        """

    Parent().insert([("a",), ("b",)])
    Child().insert1(("a",))
    return other


def test_what_other_schemas_hold_is_required(
    child: Schema, schema: Schema, elsewhere: Database, tmp_path: Path
) -> None:
    child.dump(tmp_path / "kept")
    [needed] = read_archive(tmp_path / "kept").manifest.requires
    assert needed.name.schema == schema.database
    with pytest.raises(ArchiveError, match="include_parents"):
        dj.restore(tmp_path / "kept", connection=elsewhere)
    assert not Schema(child.database, connection=elsewhere).exists
    schema.dump(tmp_path / "parents")
    dj.restore(tmp_path / "parents", connection=elsewhere)
    dj.restore(tmp_path / "kept", connection=elsewhere)
    assert contents_of(elsewhere, child.database) == contents_of(child.connection, child.database)


def test_parents_can_be_included_and_renamed(
    child: Schema, schema: Schema, elsewhere: Database, tmp_path: Path
) -> None:
    child.dump(tmp_path / "kept", include_parents=True)
    names = {child.database: "one", schema.database: "two"}
    dj.restore(tmp_path / "kept", schema=names, connection=elsewhere)
    [table] = tables_of(elsewhere, "one").values()
    assert table.columns[0].lineage == "two.parent.parent"
    assert contents_of(elsewhere, "two") == contents_of(child.connection, schema.database)
    with pytest.raises(InvalidArgumentError, match="holds no rows"):
        dj.restore(tmp_path / "kept", schema={"nowhere": "x"}, connection=elsewhere)


def test_nothing_is_created_unless_allowed(everything: Schema, elsewhere: Database, tmp_path: Path) -> None:
    everything.dump(tmp_path / "kept")
    with pytest.raises(MissingTableError):
        dj.restore(tmp_path / "kept", create=False, connection=elsewhere)
    assert not Schema(everything.database, connection=elsewhere).exists


def test_a_table_that_became_another_takes_no_rows(everything: Schema, tmp_path: Path) -> None:
    everything.dump(tmp_path / "kept")
    name = everything.database
    everything.connection.query(f'ALTER TABLE "{name}"."#setup" ALTER rate TYPE integer')
    with pytest.raises(ArchiveError, match="rate is of type"):
        everything.restore(tmp_path / "kept", on_conflict="skip")


def test_a_schema_without_tables_has_nothing_to_dump(schema: Schema, tmp_path: Path) -> None:
    with pytest.raises(MissingTableError, match="no tables"):
        schema.dump(tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_all_tables_are_of_one_moment(
    everything: Schema, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, settings = everything.database, everything.connection.settings
    other = Database(lambda: settings)

    def meanwhile(plan: Any, table: Table) -> Any:
        if table.name.table == "subject" and not other.query(
            f'SELECT 1 FROM "{name}".subject WHERE subject = 9'
        ):
            other.query(f"INSERT INTO \"{name}\".subject (subject, species) VALUES (9, 'mouse')")
            other.query(f'INSERT INTO "{name}".session (subject, session) VALUES (9, 1)')
        return all_columns(plan, table)

    before = contents_of(everything.connection, name)
    monkeypatch.setattr("djflow.tables.archive.write.all_columns", meanwhile)
    everything.dump(tmp_path / "kept")
    other.close()
    kept = {
        entry.table.name.table: entry.content for entry in read_archive(tmp_path / "kept").manifest.tables
    }
    assert kept == before


def test_the_database_that_datajoint_made_comes_back_the_same(
    database: Database, elsewhere: Database, lab_url: str, interop: Path, tmp_path: Path
) -> None:
    shutil.copytree(interop / "store", tmp_path / "lab_store")
    main = {"protocol": "file", "location": str(tmp_path / "lab_store")}
    settings = at(database, lab_url, stores={"default": "main", "main": main})
    lab = Database(lambda: settings)
    copies = {"protocol": "file", "location": str(tmp_path / "copies")}
    target = changed(elsewhere.settings, {"stores": {"default": "main", "main": copies}})
    there = Database(lambda: target)
    try:
        Schema("lab", connection=lab).dump(tmp_path / "kept")
        dj.restore(tmp_path / "kept", connection=there)
        assert tables_of(there, "lab") == tables_of(lab, "lab")
        assert contents_of(there, "lab") == contents_of(lab, "lab")
        for query in (LINEAGE, COMMENTS, ENUMS, CONSTRAINTS):
            assert there.query(query) == lab.query(query)
    finally:
        lab.close()
        there.close()
    files = {path.relative_to(tmp_path / "lab_store") for path in (tmp_path / "lab_store").rglob("*")}
    assert {path.relative_to(tmp_path / "copies") for path in (tmp_path / "copies").rglob("*")} == files


LINEAGE = """SELECT * FROM lab."~lineage" WHERE table_name !~ '^~' ORDER BY 1, 2"""
COMMENTS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
  pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'lab'::regnamespace AND c.relkind = 'r' AND c.relname !~ '^~' ORDER BY 1, a.attnum
"""
ENUMS = """
SELECT DISTINCT t.typname, e.enumsortorder, e.enumlabel
FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
JOIN pg_attribute a ON a.atttypid = t.oid
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' AND c.relname !~ '^~'
WHERE t.typnamespace = 'lab'::regnamespace ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'lab'::regnamespace AND contype IN ('p', 'f') AND conrelid::regclass::text !~ '~'
ORDER BY 1, 2
"""
