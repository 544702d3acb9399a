"""Both libraries make the same tables of the same text, and each takes the other's for its own."""

from typing import Any

import pytest
from tests.interop.peer import Peer
from tests.interop.pipeline import declare

import djflow as dj
from djflow.backend.introspect import introspect
from djflow.model.table import Table
from djflow.relation.database import Database

_OBJECTS = "~objects"  # djflow's own record; DataJoint has none
# Beyond what `introspect` tells: all that pg_dump would write down, but for the defaults and comments there.
_NAMED = """
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = $1::text::regnamespace AND contype IN ('p', 'u', 'f', 'c')
AND conname NOT LIKE '~objects%'
UNION ALL
SELECT 'index', tablename, indexname, indexdef
FROM pg_indexes WHERE schemaname = $1::text AND tablename <> '~objects'
UNION ALL
SELECT 'type', t.typname, e.enumlabel, e.enumsortorder::text
FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE typnamespace = $1::text::regnamespace
ORDER BY 1, 2, 3, 4
"""


def layout(database: Database, schema: str) -> tuple[tuple[Table, ...], list[Any]]:
    tables = introspect(database.session.connection, [schema]).tables
    return tuple(table for table in tables if table.name.table != _OBJECTS), database.query(_NAMED, [schema])


def lineage(database: Database, schema: str) -> list[Any]:
    return database.query(f'SELECT * FROM "{schema}"."~lineage" ORDER BY 1, 2')


def declare_there(dj: Any, schema: str) -> list[str]:
    tables = declare(dj, dj.Schema(schema))
    return [tables.Animal.table_name, tables.Score.Step.full_table_name]


@pytest.fixture
def as_datajoint_made(peer: Peer, schema: dj.Schema) -> Any:
    """The layout and the lineage of the pipeline that DataJoint declared; the schema is gone again."""
    assert peer(declare_there, declare, schema=schema.database) == [
        "animal",
        f'"{schema.database}"."__score__step"',
    ]
    found = (
        layout(schema.connection, schema.database),
        lineage(schema.connection, schema.database),
        schema.save(),
    )
    schema.drop(prompt=False)
    return found


def test_both_declare_the_same_tables(as_datajoint_made: Any, schema: dj.Schema) -> None:
    (tables, named), origins, text = as_datajoint_made
    declare(dj, schema)
    schema.create()
    assert layout(schema.connection, schema.database) == (tables, named)
    assert lineage(schema.connection, schema.database) == origins
    assert schema.save() == text


def test_tables_that_djflow_declared_need_no_declaration_there(schema: dj.Schema, peer: Peer) -> None:
    declare(dj, schema)
    schema.create()
    before = layout(schema.connection, schema.database), lineage(schema.connection, schema.database)
    peer(declare_there, declare, schema=schema.database)
    assert (layout(schema.connection, schema.database), lineage(schema.connection, schema.database)) == before


def test_tables_that_datajoint_declared_need_no_alteration(schema: dj.Schema, peer: Peer) -> None:
    peer(declare_there, declare, schema=schema.database)
    tables = declare(dj, schema)
    for table in vars(tables).values():
        assert not table.alter(plan=True), str(table.alter(plan=True))


def saved_module(dj: Any, text: str) -> list[str]:
    names: dict[str, Any] = {"dj": dj}
    exec(text.replace("import djflow as dj\n", ""), names)  # noqa: S102 - our own text
    return list(names["schema"].list_tables())


def test_a_saved_module_declares_the_same_there(schema: dj.Schema, peer: Peer) -> None:
    declare(dj, schema)
    schema.create()
    before = layout(schema.connection, schema.database), lineage(schema.connection, schema.database)
    text = schema.save(contents=True)
    schema.drop(prompt=False)
    assert len(peer(saved_module, text=text)) == 9
    assert (layout(schema.connection, schema.database), lineage(schema.connection, schema.database)) == before
    assert schema["Kind"].to_arrays("kind").tolist() == ["cat", "dog"]
