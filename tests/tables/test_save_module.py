import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

import djflow as dj
from djflow.backend.introspect import introspect
from djflow.configuration import changed
from djflow.errors import DjflowError, MissingSchemaError
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.relation.database import Database
from djflow.sql.ddl import drop_schema
from djflow.tables.declare import declare
from djflow.testing.modules import stored_schemas


def catalog(database: Database, schema: str) -> set[Table]:
    """The tables as the database has them, with `it` for the schema's name."""
    tables = introspect(database.session.connection, [schema]).tables
    return {renamed(table, schema) for table in tables if table.name.schema == schema}


def renamed(table: Table, schema: str) -> Table:
    def named(name: TableName) -> TableName:
        return replace(name, schema="it") if name.schema == schema else name

    def traced(lineage: str | None) -> str | None:
        return lineage and re.sub(rf"^{re.escape(schema)}\.", "it.", lineage)

    return replace(
        table,
        name=named(table.name),
        columns=tuple(replace(column, lineage=traced(column.lineage)) for column in table.columns),
        foreign_keys=tuple(replace(fk, parent=named(fk.parent)) for fk in table.foreign_keys),
    )


def run_module(text: str, database: Database, old: str, new: str) -> dict[str, Any]:
    """Import the text as a module of another schema of the same database."""
    changed = text.replace(f'dj.Schema("{old}")', f'dj.Schema("{new}", connection=database)')
    changed = re.sub(r"dj\.virtual_schema\((.*)\)", r"dj.virtual_schema(\1, connection=database)", changed)
    names: dict[str, Any] = {"__name__": f"saved_{new}", "database": database}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # native types
        exec(compile(changed, "saved.py", "exec"), names)  # noqa: S102 - our own text
        names["schema"].create()
    return names


@pytest.fixture
def other_name(database: Database) -> Iterator[str]:
    name = f"test_{uuid4().hex[:12]}"
    yield name
    database.query(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


@settings(max_examples=15, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_the_module_of_any_schema_declares_the_same_schema(data: st.DataObject, database: Database) -> None:
    old, new = (f"test_{uuid4().hex[:12]}" for _ in range(2))
    tables = data.draw(stored_schemas(old))
    try:
        declare(database.session, old, tables)
        text = dj.Schema(old, connection=database).save()
        assert "cannot be declared" not in text
        assert "not declared here" not in text
        run_module(text, database, old, new)
        assert catalog(database, new) == catalog(database, old)
        again = dj.Schema(new, connection=database).save()
        assert again.replace(new, old) == text
    finally:
        for name in (old, new):
            database.query(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


def run_sql(database: Database, schema: str, *statements: str) -> None:
    database.query(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    for statement in statements:
        database.query(statement.replace("SCHEMA.", f'"{schema}".'))


def test_rows_of_lookup_tables_are_declared_again_where_asked(
    schema: dj.Schema, database: Database, other_name: str
) -> None:
    @schema
    class Rig(dj.Lookup):
        definition = """
        rig : varchar(20)
        ---
        price = null : decimal(8,2)
        gain = null : float64
        made = null : date
        meta = null : json
        raw = null : bytes
        tag = null : uuid
        at = null : datetime
        """
        contents = (
            ('it\'s "a"\n\\b', "12.50", float("nan"), "2024-01-31", {"a": [1, None]}, b"\x00'", None, None),
            ("c", None, float("inf"), None, None, None, str(uuid4()), "2024-01-31 12:00:00"),
        )

        class Wire(dj.Part):
            definition = """
            -> master
            wire : int8
            """

    @schema
    class Note(dj.Lookup):
        definition = """
        -> Rig
        ---
        value : <blob>
        """

    @schema
    class Used(dj.Lookup):
        definition = """
        -> Note
        """

    Rig.Wire().insert([("c", 1), ("c", 2)])
    assert "contents" not in schema.save()
    text = schema.save(contents=True)
    assert "contents, which are left out: value holds encoded values" in text
    assert f"contents, which are left out: they refer to rows of {schema.database}.note" in text.replace(
        "#", ""
    )
    again = run_module(text, database, schema.database, other_name)
    assert repr(again["Rig"]().to_dicts()) == repr(Rig().to_dicts())  # NaN equals nothing
    assert again["Rig"].Wire().to_dicts() == Rig.Wire().to_dicts()


def test_other_schemas_are_modules_of_classes(schema: dj.Schema, database: Database, other_name: str) -> None:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        """

        class Ear(dj.Part):
            definition = """
            -> master
            ear : int8
            """

    child = dj.Schema(other_name, connection=database)

    @child
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        ---
        -> [nullable] Subject.Ear.proj(heard='subject')
        """

    child.create()
    text = child.save()
    assert f'{schema.database} = dj.virtual_schema("{schema.database}")' in text
    assert f"-> {schema.database}.Subject\n" in text
    copy = f"{other_name}_copy"
    try:
        again = run_module(text, database, other_name, copy)
        assert catalog(database, copy) == catalog(database, other_name)
        assert again["Session"]().heading["heard"].lineage == f"{schema.database}.subject.subject"
    finally:
        database.query(drop_schema(copy))
    text = child.save(modules={schema.database: "pipelines.subjects"})
    assert f"import pipelines.subjects as {schema.database}\n" in text
    with pytest.raises(DjflowError, match="no name of a Python module"):
        child.save(modules={schema.database: "os; import shutil"})


def test_classes_that_share_a_name_are_told_apart(
    schema: dj.Schema, database: Database, other_name: str
) -> None:
    text = '''
import djflow as dj
schema = dj.Schema("NAME")

@schema
class Run(dj.Manual):
    definition = "run : int32"

    class Wire(dj.Part):
        definition = """
        -> master
        wire : int32
        """

    class Joint(dj.Part):
        definition = """
        -> master
        -> Run.Wire.proj(first='wire')
        """

Plain = Run

@schema
class Run(dj.Lookup):
    definition = "kind : int32"

@schema
class Wire(dj.Manual):
    definition = """
    -> Plain
    -> Run
    """

Copper = Wire

@schema
class Wiring(dj.Computed):
    definition = "-> Plain.Wire"

    class Wire(dj.Part):
        definition = """
        -> master
        -> Copper
        """
'''
    name = schema.database
    run_module(text.replace("NAME", name), database, name, name)
    saved = schema.save()
    run_module(saved, database, name, other_name)
    assert catalog(database, other_name) == catalog(database, name)
    assert "not declared here" not in saved


def shortened(text: str) -> str:
    return "\n".join(line if len(line) <= 105 else f"{line[:102]}..." for line in text.splitlines())


def test_what_no_definition_can_say_becomes_a_comment(
    schema: dj.Schema, database: Database, other_name: str
) -> None:
    name = schema.database
    run_sql(
        database,
        name,
        "CREATE TABLE SCHEMA.host (id int PRIMARY KEY, at inet NOT NULL, code text UNIQUE,"
        " n int DEFAULT 5 CHECK (n > 0), t uuid DEFAULT gen_random_uuid(), boss int REFERENCES SCHEMA.host)",
        "COMMENT ON TABLE SCHEMA.host IS E'two\nlines'",
        "CREATE INDEX ON SCHEMA.host (n) WHERE n > 1",
        "CREATE TABLE SCHEMA.visit (host_id int REFERENCES SCHEMA.host,"
        " code text REFERENCES SCHEMA.host (code) ON DELETE CASCADE,"
        ' "When" timestamp, PRIMARY KEY (host_id))',
        'CREATE TABLE SCHEMA."Odd One" (a int PRIMARY KEY)',
        "CREATE TABLE SCHEMA.heap (a int)",
        "CREATE TABLE SCHEMA.chicken (id int PRIMARY KEY, egg int)",
        "CREATE TABLE SCHEMA.egg (id int PRIMARY KEY, chicken int REFERENCES SCHEMA.chicken)",
        "ALTER TABLE SCHEMA.chicken ADD FOREIGN KEY (egg) REFERENCES SCHEMA.egg",
    )
    text = schema.save()
    assert shortened(text.replace(name, "lab")) == snapshot('''\
# Written by djflow from the database: importing this module declares the tables of schema "lab".
import djflow as dj

schema = dj.Schema("lab")


# Odd One cannot be declared:
#   No class declares a table of the name 'Odd One'.
# class OddOne(dj.Manual):
#     definition = """
#     a : integer
#     """


# chicken has what is not declared here:
#   foreign key (egg) to lab.egg (id): the table that it refers to is not declared above
#   FOREIGN KEY (egg) REFERENCES lab.egg(id)
@schema
class Chicken(dj.Manual):
    definition = """
    id         : integer
    ---
    egg = null : integer
    """


# egg has what is not declared here:
#   FOREIGN KEY (chicken) REFERENCES lab.chicken(id)
@schema
class Egg(dj.Manual):
    definition = """
    id : integer
    ---
    -> [nullable] Chicken.proj(chicken='id')
    """


# heap cannot be declared:
#   It has no primary key.
# class Heap(dj.Manual):
#     definition = """
#     ---
#     a = null : integer
#     """


# host has what is not declared here:
#   attribute at : inet: Unknown type 'inet'.
#   foreign key (boss) to lab.host (id): a table cannot refer to itself
#   n may be null
#   CHECK ((n > 0))
#   CREATE INDEX host_n_idx ON lab.host USING btree (n) WHERE (n > 1)
#   t has the default gen_random_uuid()
@schema
class Host(dj.Manual):
    definition = """
    # two lines
    id          : integer
    ---
    code = null : text
    n = 5       : integer
    t = null    : uuid
    boss = null : integer
    unique index (code)
    """


# visit has what is not declared here:
#   attribute When : timestamp without time zone: 'When' cannot name an attribute: names consist of lo...
#   foreign key (code) to lab.host (code): it refers to attributes other than the primary key
#   FOREIGN KEY (code) REFERENCES lab.host(code) ON DELETE CASCADE
#   FOREIGN KEY (host_id) REFERENCES lab.host(id)
@schema
class Visit(dj.Manual):
    definition = """
    -> Host.proj(host_id='id')
    ---
    code = null : text
    """\
''')
    names = run_module(text, database, name, other_name)
    assert {table.table_name for table in names["schema"]} == {"host", "visit", "chicken", "egg"}


def test_only_a_saved_module_is_written_over(schema: dj.Schema, tmp_path: Path) -> None:
    with pytest.raises(MissingSchemaError):
        schema.save()
    schema.create()
    path = tmp_path / "lab.py"
    assert schema.save(path) == path.read_text(encoding="utf-8") == schema.describe()
    assert schema.save(str(path)) == path.read_text(encoding="utf-8")
    path.write_text("class Precious: ...", encoding="utf-8")
    with pytest.raises(DjflowError, match="not a saved schema"):
        schema.save(path)
    assert path.read_text(encoding="utf-8") == "class Precious: ..."


@pytest.mark.parametrize("is_recorded", [True, False])
def test_bookkeeping_is_declared_as_it_is_whatever_the_settings_say(
    schema: dj.Schema, database: Database, other_name: str, *, is_recorded: bool
) -> None:
    settings = changed(database.settings, {"jobs": {"add_job_metadata": not is_recorded}})
    strange = Database(lambda: settings)

    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    @schema
    class Mean(dj.Computed):
        definition = "-> Subject"
        job_metadata = is_recorded

    schema.create()
    assert ("_job_version" in [column.name for column in Mean().table_model.columns]) is is_recorded
    try:
        text = dj.Schema(schema.database, connection=strange).save()
        run_module(text, strange, schema.database, other_name)
        assert catalog(database, other_name) == catalog(database, schema.database)
    finally:
        strange.close()
