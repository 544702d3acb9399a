"""Any tables become any others, or stay as they are to the last row.

`DJFLOW_TEST_EXAMPLES` sets how many pairs are tried.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from djflow.backend.introspect import introspect
from djflow.definition import bind, unbind
from djflow.errors import AlterationError, DefinitionError, DuplicateError, IntegrityError
from djflow.model.names import TableName
from djflow.model.table import (
    Attribute,
    AttributeSpec,
    ForeignKeySpec,
    IndexSpec,
    Line,
    Table,
    TableSpec,
)
from djflow.model.types import EnumType
from djflow.relation.database import Database
from djflow.sql.alteration.follow import Lookup, Wanted
from djflow.sql.ddl import drop_schema
from djflow.sql.identifiers import qualified, quote
from djflow.sql.indexes import all_indexes
from djflow.tables import write
from djflow.tables.alteration.carry_out import carry_out
from djflow.tables.alteration.prepare import Asked, Prepared, prepare
from djflow.tables.declare import declare
from djflow.testing.databases import Rowsets, databases
from djflow.testing.schemas import schemas

EXAMPLES: Final = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "1500")) // 60


@pytest.fixture(scope="module")
def server(server_url: str, server_home: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    from djflow.configuration import load

    assert server_url
    environment = {"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}
    loaded = load(environment, tmp_path_factory.mktemp("alter"))
    opened = Database(lambda: loaded)
    yield opened
    opened.close()


@st.composite
def evolutions(draw: st.DrawFn) -> tuple[Sequence[Table], Sequence[Table], Rowsets]:
    """Tables with rows, and what they shall become."""
    old = draw(schemas("x", most=4))
    new = draw(schemas("x", most=4)) if draw(st.booleans()) else _rebound(draw(_edited(old)), "x")
    rows = draw(databases(old)) if draw(st.sampled_from((True, True, False))) else {}
    return old, new, rows


@st.composite
def _edited(draw: st.DrawFn, tables: Sequence[Table]) -> dict[str, TableSpec]:
    """The definitions of tables with some lines moved or left out, an index or a comment added."""
    specs = {table.name.table: _spec(table) for table in tables}
    for name in draw(st.lists(st.sampled_from(list(specs)), min_size=1, max_size=3)):
        spec = draw(st.sampled_from((_demoted, _promoted, _shortened, _indexed, _commented)))(
            draw, specs[name]
        )
        attributes = {
            line.name for line in (*spec.primary, *spec.secondary) if isinstance(line, AttributeSpec)
        }
        indexes = tuple(index for index in spec.indexes if set(index.items) <= attributes)
        specs[name] = replace(spec, indexes=indexes)
    return specs


def _demoted(draw: st.DrawFn, spec: TableSpec) -> TableSpec:
    own = [line for line in spec.primary if isinstance(line, AttributeSpec)]
    if not own or len(spec.primary) == 1:
        return spec
    moved = draw(st.sampled_from(own))
    primary = tuple(line for line in spec.primary if line != moved)
    return replace(spec, primary=primary, secondary=(moved, *spec.secondary))


def _promoted(draw: st.DrawFn, spec: TableSpec) -> TableSpec:
    if not spec.primary or not spec.secondary:
        return spec
    moved = draw(st.sampled_from(spec.secondary))
    secondary = tuple(line for line in spec.secondary if line != moved)
    if isinstance(moved, ForeignKeySpec):
        required: Line = replace(moved, nullable=False)
    else:
        required = replace(moved, default=None)
    return replace(spec, primary=(*spec.primary, required), secondary=secondary)


def _shortened(draw: st.DrawFn, spec: TableSpec) -> TableSpec:
    if not spec.primary or not spec.secondary:
        return spec
    gone = draw(st.sampled_from(spec.secondary))
    return replace(spec, secondary=tuple(line for line in spec.secondary if line != gone))


def _indexed(draw: st.DrawFn, spec: TableSpec) -> TableSpec:
    own = [line for line in spec.secondary if isinstance(line, AttributeSpec)]
    names = [line.name for line in own if str(line.type) not in ("json", "bytes")]
    if not names:
        return spec
    return replace(spec, indexes=(IndexSpec((draw(st.sampled_from(names)),), draw(st.booleans())),))


def _commented(draw: st.DrawFn, spec: TableSpec) -> TableSpec:
    return replace(spec, comment=draw(st.sampled_from(("", "it's", "a: b"))))


def _spec(table: Table) -> TableSpec:
    return unbind(table, class_path=lambda name: name.table)


def _rebound(specs: dict[str, TableSpec], schema: str) -> tuple[Table, ...]:
    """Tables of these definitions, parents first; those whose parents cannot be referred to any more go."""
    tables: dict[str, Table] = {}
    for name, spec in specs.items():
        own = TableName(schema, name)
        try:
            tables[name] = bind(
                spec,
                own,
                resolve=lambda reference, own=own: tables[_table_of(reference, own)],  # type: ignore[misc]
                codec_dtype=None,  # type: ignore[arg-type]
            )
        except (DefinitionError, KeyError):
            continue
    return tuple(tables.values())


def _table_of(reference: str, own: TableName) -> str:
    return own.master.table if reference == "master" and own.master else reference


def _asked(tables: Sequence[Table], schema: str) -> Asked:
    wanted = {}
    for table in tables:
        spec, own = _spec(table), TableName(schema, table.name.table)

        def bound(lookup: Lookup, spec: TableSpec = spec, own: TableName = own) -> Table:
            def resolve(reference: str) -> Table:
                found = lookup(TableName(schema, _table_of(reference, own)))
                assert found is not None
                return found

            return bind(spec, own, resolve=resolve, codec_dtype=None)  # type: ignore[arg-type]

        parents = {TableName(schema, fk.parent.table) for fk in table.foreign_keys}
        wanted[own] = Wanted(frozenset(parents), bound)
    return Asked(wanted)


def _in(schema: str, tables: Sequence[Table]) -> tuple[Table, ...]:
    return _rebound({table.name.table: _spec(table) for table in tables}, schema)


def _normal(table: Table, schema: str) -> dict[str, Any]:
    """What a table is, whatever the order of its columns and the name of its schema."""

    def bare(text: str | None) -> str | None:
        return None if text is None else text.replace(schema, "x")

    def column(attribute: Attribute) -> Attribute:
        stored = attribute.stored
        if isinstance(stored, EnumType):
            stored = EnumType(stored.labels)
        return replace(attribute, stored=stored, lineage=bare(attribute.lineage))

    return {
        "comment": table.comment,
        "columns": {c.name: column(c) for c in table.columns},
        "foreign keys": {
            (fk.parent.table, frozenset(fk.columns), fk.in_key, fk.nullable, fk.unique)
            for fk in table.foreign_keys
        },
        # A key's columns stand in another order, and so do those of what refers to it.
        "indexes": {(frozenset(i.items), i.unique) for i in all_indexes(table) if not _leads(table, i)},
    }


def _leads(table: Table, index: IndexSpec) -> bool:
    return set(index.items) <= set(table.primary_key) and not index.unique


def _contents(database: Database, tables: Sequence[Table]) -> dict[tuple[str, str], list[str]]:
    """The values of each column as text, in no order."""
    found = {}
    for table in tables:
        for column in table.columns:
            text = f"CAST({quote(column.name)} AS text)"
            rows = database.session.execute(f"SELECT {text} FROM {qualified(table.name)}")
            found[table.name.table, column.name] = sorted(str(value) for (value,) in rows)
    return found


@settings(
    max_examples=EXAMPLES,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
@given(evolutions())
def test_tables_become_what_freshly_declared_ones_are_or_stay(
    server: Database, evolution: tuple[Sequence[Table], Sequence[Table], Rowsets]
) -> None:
    old, new, rows = evolution
    altered, fresh = (f"test_{uuid4().hex[:12]}" for _ in range(2))
    try:
        _check(server, altered, fresh, old, new, rows)
    finally:
        for schema in (altered, fresh):
            server.session.execute(f"{drop_schema(schema).replace('DROP SCHEMA', 'DROP SCHEMA IF EXISTS')}")


def _check(
    server: Database, altered: str, fresh: str, old: Sequence[Table], new: Sequence[Table], rows: Rowsets
) -> None:
    session = server.session
    before, _ = declare(session, altered, _in(altered, old))
    for table in old:
        if rows.get(table.name):
            model = before[TableName(altered, table.name.table)]
            write.insert(model, rows[table.name], server, write.InsertOptions())
    contents = _contents(server, before.tables)
    asked = _asked(new, altered)
    refused: Exception | None = None
    try:
        with session.transaction():
            prepared = prepare(session, introspect(session.connection, [altered]), asked)
            _refuse(prepared)
            carry_out(session, prepared, lambda: None)
    except (AlterationError, DuplicateError, IntegrityError) as error:
        event(f"refused: {type(error).__name__}")
        refused = error
    if refused is not None:
        assert any(contents.values()) or "cannot follow" in str(refused), refused
        assert introspect(session.connection, [altered]) == before
        assert _contents(server, before.tables) == contents
        return
    event("altered")
    after = introspect(session.connection, [altered])
    expected, _ = declare(session, fresh, _in(fresh, new))
    for table in expected.tables:
        found = after[TableName(altered, table.name.table)]
        assert _normal(found, altered) == _normal(table, fresh)
    _check_values(server, prepared, contents)
    again = prepare(session, after, asked)
    assert not again.plan, str(again.plan)


def _refuse(prepared: Prepared) -> None:
    if prepared.plan.problems:
        raise AlterationError(str(prepared.plan.problems[0]))


def _check_values(server: Database, prepared: Prepared, contents: dict[tuple[str, str], list[str]]) -> None:
    now = _contents(server, [delta.new for delta in prepared.target.deltas.values()])
    for delta in prepared.target.deltas.values():
        for before, after in delta.kept:
            if before.type == after.type:
                place = delta.name.table, before.name
                assert contents[place] == now[delta.name.table, after.name]
