"""Whoever may only read reads all of it, and is told which right is missing for the rest."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import polars as pl
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import djflow as dj
from djflow import deploy
from djflow.configuration import changed
from djflow.errors import AccessError, MissingTableError
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema

NewRole: TypeAlias = Callable[[str], str]
Connect: TypeAlias = Callable[[str], Database]
TablesOf: TypeAlias = Callable[[Database, str], dict[str, FreeTable]]
Redeclared: TypeAlias = Callable[[Database, str], dict[str, Any]]


@pytest.fixture
def reader(lab: Schema, new_role: NewRole) -> str:
    """A role with nothing but USAGE and SELECT, given by hand, as an administrator without djflow does."""
    role = new_role("reader")
    for right in ("USAGE ON SCHEMA", "SELECT ON ALL TABLES IN SCHEMA"):
        lab.connection.query(f"GRANT {right} {quote(lab.database)} TO {quote(role)}")
    return role


@pytest.fixture
def pipeline(reader: str, lab: Schema, connect_as: Connect, redeclared: Redeclared) -> dict[str, Any]:
    """The classes as a reader's program has them, which imports the same module."""
    return redeclared(connect_as(reader), lab.database)


# what only reads


def test_a_reader_sees_keys_types_lineage_and_definitions(pipeline: dict[str, Any], lab: Schema) -> None:
    for name, cls in pipeline.items():
        assert len(cls()) >= 0
        assert cls().table_model == lab.registry.by_name[name]().table_model
        assert cls().describe() == lab.registry.by_name[name]().describe()
    assert pipeline["Subject"]().primary_key == ["subject"]


def test_a_reader_reads_though_the_code_declares_more_than_there_is(
    pipeline: dict[str, Any], lab: Schema
) -> None:
    schema = pipeline["Subject"].__djflow_schema__

    @schema
    class NotThere(dj.Manual):
        definition = "-> Subject"

    assert len(pipeline["Subject"]()) == 2
    assert "subject" in schema.list_tables()
    with pytest.raises(AccessError, match="CREATE on schema"):
        len(NotThere())
    assert len(pipeline["Subject"]()) == 2
    lab(type("NotThere", (dj.Manual,), {"definition": "-> Subject"}))
    lab.create()
    lab.connection.query(f"GRANT SELECT ON ALL TABLES IN SCHEMA {quote(lab.database)} TO PUBLIC")
    assert len(NotThere()) == 0


def test_a_reader_fetches_in_every_form(pipeline: dict[str, Any]) -> None:
    subject = pipeline["Subject"]()
    assert len(subject) == 2
    assert bool(subject)
    assert subject.to_dicts() == [{"subject": 1, "kind": "mouse"}, {"subject": 2, "kind": "rat"}]
    assert subject.to_arrow().num_rows == subject.to_polars().height == 2
    assert (subject & {"subject": 2}).fetch1("kind") == "rat"
    assert subject.keys() == [{"subject": 1}, {"subject": 2}]


def test_a_reader_queries_as_anybody_does(pipeline: dict[str, Any]) -> None:
    subject, note, kind = pipeline["Subject"](), pipeline["Subject"].Note(), pipeline["Kind"]()
    assert len(subject * kind) == 2
    assert len(subject - note) == 2
    assert len(subject & (kind & {"kind": "rat"})) == 1
    assert kind.aggr(subject, n="count(*)").to_dicts() == [{"kind": "mouse", "n": 1}, {"kind": "rat", "n": 1}]
    assert len(dj.U("kind") & subject) == 2


def test_a_readers_large_frames_travel(pipeline: dict[str, Any]) -> None:
    keys = pl.DataFrame({"subject": range(2, 300_000)}, schema={"subject": pl.Int32})
    subject = pipeline["Subject"]()
    assert len(subject & dj.Frame(keys)) == 1
    assert (subject & dj.Frame(keys)).to_polars()["subject"].to_list() == [2]


def test_a_reader_sees_what_is_left_to_compute(pipeline: dict[str, Any]) -> None:
    assert pipeline["Weight"]().progress() == (2, 2)


def test_a_reader_finds_the_contents_of_lookups(pipeline: dict[str, Any]) -> None:
    assert sorted(row["kind"] for row in pipeline["Kind"]().to_dicts()) == ["mouse", "rat"]


def test_a_reader_lists_and_draws_the_schema(reader: str, lab: Schema, connect_as: Connect) -> None:
    schema = Schema(lab.database, connection=connect_as(reader))
    assert schema.list_tables() == lab.list_tables()
    assert str(dj.Diagram(schema)) == str(dj.Diagram(lab))
    assert schema.lineage == lab.lineage
    assert schema.grants().equals(lab.grants())


def test_a_role_without_the_lineage_table_still_has_lineage(
    reader: str, lab: Schema, connect_as: Connect, redeclared: Redeclared
) -> None:
    lab.connection.query(f'REVOKE SELECT ON "{lab.database}"."~lineage" FROM {quote(reader)}')
    classes = redeclared(connect_as(reader), lab.database)
    assert len(classes["Subject"]() * classes["Weight"]()) == 0
    assert len(classes["Subject"]() * classes["Kind"]()) == 2


# what is refused


def refused(action: Callable[[], object]) -> AccessError:
    with pytest.raises(AccessError) as caught:
        action()
    return caught.value


def test_a_refused_insert_names_the_right_and_who_gives_it(
    pipeline: dict[str, Any], reader: str, lab: Schema
) -> None:
    error = refused(lambda: pipeline["Subject"]().insert1((3, "rat")))
    assert error.role == reader
    assert error.missing == (("INSERT", f"table {lab.database}.subject"),)
    assert error.remedy == (f'GRANT INSERT ON TABLE "{lab.database}"."subject" TO {quote(reader)}',)
    assert str(error) == (
        f"The role {reader!r} lacks INSERT on table {lab.database}.subject. The owner, djflow, can give it: "
        f"schema.grant({reader!r}, 'writer') or {error.remedy[0]}."
    )
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled one line above
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_what_the_error_proposes_is_enough(pipeline: dict[str, Any], lab: Schema) -> None:
    def insert() -> None:
        pipeline["Subject"]().insert1((3, "rat"), skip_duplicates=True)

    for statement in refused(insert).remedy:
        lab.connection.query(statement)
    insert()
    assert len(lab.registry.by_name["Subject"]()) == 3


def test_a_refused_populate_asks_for_a_populator(pipeline: dict[str, Any], reader: str, lab: Schema) -> None:
    error = refused(lambda: pipeline["Weight"]().populate())
    assert error.missing == (("INSERT", f"table {lab.database}.__weight"),)
    assert f"schema.grant({reader!r}, 'populator')" in str(error)
    assert len(lab.registry.by_name["Weight"]()) == 0


def test_a_refused_delete_deletes_nothing(pipeline: dict[str, Any], reader: str, lab: Schema) -> None:
    error = refused(lambda: (pipeline["Subject"]() & {"subject": 1}).delete(prompt=False))
    assert {right for right, _ in error.missing} == {"DELETE"}
    assert f"schema.grant({reader!r}, 'writer')" in str(error)
    assert len(lab.registry.by_name["Subject"]()) == 2


def test_a_refused_quick_delete_says_so_too(pipeline: dict[str, Any], lab: Schema) -> None:
    error = refused(lambda: pipeline["Subject"]().delete_quick())
    assert error.missing == (("DELETE", f"table {lab.database}.subject"),)


def test_a_refusal_inside_a_transaction_is_explained_and_survived(
    pipeline: dict[str, Any], reader: str, lab: Schema
) -> None:
    database = pipeline["Subject"]().connection
    with database.transaction:
        error = refused(lambda: database.query(f"DELETE FROM {lab.database}.Subject"))
        assert len(pipeline["Subject"]()) == 2
    assert error.missing == (("DELETE", f"table {lab.database}.subject"),)
    assert error.role == reader


def test_declaring_without_create_names_the_right(reader: str, lab: Schema, connect_as: Connect) -> None:
    schema = Schema(lab.database, connection=connect_as(reader))

    @schema
    class Cage(dj.Manual):
        definition = "cage : int32"

    error = refused(lambda: Cage().insert1((1,)))
    assert error.missing == (("CREATE", f"schema {lab.database}"),)
    assert error.remedy == (f"GRANT USAGE, CREATE ON SCHEMA {quote(lab.database)} TO {quote(reader)}",)
    assert "cage" not in lab.list_tables()


def test_a_new_schema_without_create_names_the_right(
    reader: str, lab: Schema, connect_as: Connect, schema_name: str
) -> None:
    schema = Schema(f"{schema_name}_new", connection=connect_as(reader))

    @schema
    class Cage(dj.Manual):
        definition = "cage : int32"

    error = refused(lambda: len(Cage()))
    [(database,)] = lab.connection.query("SELECT current_database()")
    assert error.missing == (("CREATE", f"database {database}"),)


def test_a_class_that_was_never_declared_needs_no_right_to_be_missed(
    reader: str, lab: Schema, connect_as: Connect
) -> None:
    schema = Schema(lab.database, connection=connect_as(reader), create_tables=False)

    @schema
    class Cage(dj.Manual):
        definition = "cage : int32"

    with pytest.raises(MissingTableError):
        len(Cage())


def test_a_reader_cannot_drop_or_change_tables(
    pipeline: dict[str, Any], reader: str, lab: Schema, connect_as: Connect
) -> None:
    schema = Schema(lab.database, connection=connect_as(reader))
    with pytest.raises(AccessError):
        schema.drop(prompt=False)
    error = refused(lambda: deploy.set_replica_identity(pipeline["Subject"], dry_run=False))
    assert error.missing == (("ownership", f"table {lab.database}.subject"),)
    assert str(error).endswith("Only the owner, djflow, has it.")
    with pytest.raises(AccessError):
        schema.rebuild_lineage()
    assert len(lab.list_tables()) == 4


def test_a_writer_who_drops_a_table_is_told_who_may(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    weight = tables_of(connect_as(role), lab.database)["Weight"]
    error = refused(lambda: weight.drop(prompt=False))
    assert error.missing == (("ownership", f"table {lab.database}.__weight"),)
    assert len(lab.list_tables()) == 4


# rights on a part of it


@pytest.fixture
def guest(lab: Schema, new_role: NewRole) -> str:
    """A role that may enter the schema and nothing else."""
    role = new_role("guest")
    lab.connection.query(f"GRANT USAGE ON SCHEMA {quote(lab.database)} TO {quote(role)}")
    return role


def test_some_tables_can_be_read_without_the_others(
    guest: str, lab: Schema, connect_as: Connect, tables_of: TablesOf
) -> None:
    lab.connection.query(f'GRANT SELECT ON "{lab.database}".subject TO {quote(guest)}')
    seen = tables_of(connect_as(guest), lab.database)
    assert len(seen["Subject"].to_dicts()) == 2
    error = refused((seen["Subject"] * seen["Weight"]).to_dicts)
    assert error.missing == (("SELECT", f"table {lab.database}.__weight"),)
    assert f"schema.grant({guest!r}, 'reader')" in str(error)


@pytest.mark.parametrize("fetch", ["to_dicts", "to_arrow", "to_polars", "to_pandas", "keys", "__len__"])
def test_every_way_to_fetch_explains_itself(
    fetch: str, guest: str, lab: Schema, connect_as: Connect, tables_of: TablesOf
) -> None:
    subject = tables_of(connect_as(guest), lab.database)["Subject"]
    error = refused(getattr(subject, fetch))
    assert error.missing == (("SELECT", f"table {lab.database}.subject"),)


def test_some_columns_can_be_read_without_the_others(
    guest: str, lab: Schema, connect_as: Connect, tables_of: TablesOf
) -> None:
    lab.connection.query(f'GRANT SELECT (subject) ON "{lab.database}".subject TO {quote(guest)}')
    subject = tables_of(connect_as(guest), lab.database)["Subject"]
    assert subject.proj().to_dicts() == [{"subject": 1}, {"subject": 2}]
    assert len(subject) == 2
    error = refused(subject.to_dicts)
    assert error.missing == (("SELECT", f"table {lab.database}.subject"),)
    assert any("these columns of" in note and note.endswith("alone: subject.") for note in error.__notes__)


def test_a_role_outside_the_schema_is_told_so(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("stranger")
    subject = tables_of(connect_as(role), lab.database)["Subject"]
    assert subject.primary_key == ["subject"]
    error = refused(subject.to_dicts)
    assert error.missing == (("USAGE", f"schema {lab.database}"),)
    error = refused(lambda: len(subject))
    assert error.missing == (
        ("USAGE", f"schema {lab.database}"),
        ("SELECT", f"table {lab.database}.subject"),
    )
    assert str(error).count("schema.grant") == 1


def test_a_foreign_key_into_a_closed_schema_does_not_keep_one_out(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    rig = Schema(f"{lab.database}_rig", connection=lab.connection)
    subject = lab.registry.by_name["Subject"]

    @rig
    class Session(dj.Manual):
        definition = """
        -> subject
        session : int32
        """

    rig.create()
    try:
        role = new_role("rig")
        rig.grant(role, "writer")
        seen = tables_of(connect_as(role), rig.database)["Session"]
        seen.insert1((1, 1))
        assert seen.to_dicts() == [{"subject": 1, "session": 1}]
        assert "Subject" in seen.describe()
        parents = FreeTable(seen.connection, subject().table_model)
        error = refused((seen & (parents & {"kind": "rat"})).to_dicts)
        assert ("USAGE", f"schema {lab.database}") in error.missing
        error = refused(lambda: parents.delete(prompt=False))
        assert lab.database in str(error)
    finally:
        rig.drop(prompt=False)


# no temporary tables


@pytest.fixture
def bare(empty_url: str, database: Database) -> Iterator[tuple[Schema, Database]]:
    """A schema in a database where roles have no temporary tables, and that database as a writer has it."""
    role = "bare " + str(conninfo_to_dict(empty_url)["dbname"])[-6:]
    server = conninfo_to_dict(empty_url)

    def opened(user: str) -> Database:
        where = {"host": server["host"], "port": int(server["port"] or 5432), "name": server["dbname"]}
        settings = changed(database.settings, {"database": {**where, "user": user}})
        return Database(lambda: settings)

    owner, writer = opened(str(server["user"])), opened(role)
    schema = Schema("lab", connection=owner)

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(20)
        """

    Subject().insert([(1, "ann")])
    owner.query(f"CREATE ROLE {quote(role)} LOGIN")
    owner.query(f"REVOKE TEMPORARY ON DATABASE {quote(str(server['dbname']))} FROM PUBLIC")
    schema.grant(role, "writer")
    yield schema, writer
    writer.close()
    owner.close()
    with psycopg.connect(make_conninfo(empty_url), autocommit=True) as admin:
        admin.execute(f"DROP OWNED BY {quote(role)}; DROP ROLE {quote(role)}".encode())


def test_without_temporary_tables_reading_and_inserting_go_on(bare: tuple[Schema, Database]) -> None:
    _, writer = bare
    [subject] = (FreeTable(writer, table) for table in writer.catalog(["lab"]))
    subject.insert([(n, "bob") for n in range(2, 1_000)])
    keys = pl.DataFrame({"subject": range(2, 300_000)}, schema={"subject": pl.Int32})
    assert len(subject & dj.Frame(keys)) == 998
    assert (subject & dj.Frame(keys)).to_polars().height == 998
    assert (subject & dj.Frame(keys.head(2)) & "name = 'bob'").to_arrow().num_rows == 2


def test_what_needs_a_temporary_table_names_the_right(bare: tuple[Schema, Database]) -> None:
    schema, writer = bare
    [subject] = (FreeTable(writer, table) for table in writer.catalog(["lab"]))
    error = refused(lambda: subject.insert([(1, "eve"), (2, "bob")], skip_duplicates=True))
    assert [right for right, _ in error.missing] == ["TEMPORARY"]
    assert error.remedy[0].startswith("GRANT TEMPORARY ON DATABASE")
    schema.connection.query(error.remedy[0])
    subject.insert([(1, "eve"), (2, "bob")], skip_duplicates=True)
    assert subject.to_dicts() == [{"subject": 1, "name": "ann"}, {"subject": 2, "name": "bob"}]
