"""What there is to see of a schema: its tables, with about how many rows they have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Final

from djflow.backend.introspect import introspect
from djflow.backend.rows import control
from djflow.backend.session import Session
from djflow.definition.module_order import dependency_order
from djflow.display.grid import Cell, Grid, Header, StandIn, Value, cells
from djflow.display.sheet import page
from djflow.display.values import counted, rounded, size_text
from djflow.engine.counting import count_all
from djflow.errors import DjflowError
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.nodes import Scan
from djflow.relation.database import Database
from djflow.relation.preview import Look

if TYPE_CHECKING:
    from djflow.tables.schema import Schema

# Bytes of all the tables together whose rows are counted; those of others are estimated.
_CHEAP: Final = 4_000_000
_HEADERS: Final = (
    Header("table"),
    Header("tier"),
    Header("rows", is_number=True),
    Header("size", is_number=True),
    Header("comment"),
)
_SIZES: Final = """
SELECT c.relname, pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_total_relation_size(c.oid),
    CASE WHEN c.relpages > 0 AND c.reltuples >= 0 THEN (c.reltuples / c.relpages
        * (pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int))::bigint
    END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'm')
"""


@dataclass(frozen=True, slots=True)
class _Size:
    """Bytes of the rows, bytes with indexes and all, and the rows that the server estimates, if it does."""

    heap: int
    total: int
    estimate: int | None


def bundle(schema: "Schema") -> dict[str, str]:
    """What a notebook or an IPython shell shows of a schema: its name and, if it is activated, its tables."""
    name = repr(schema)
    if not schema.is_activated():
        return {"text/plain": name, "text/html": page(f"<code>{escape(name)}</code>")}
    declared = [cls().table_model for cls in schema.registry]
    found = overview(schema.database, schema.connection, declared)
    return {"text/plain": f"{name}\n{found.text()}", "text/html": found.html()}


def overview(schema: str, database: Database, declared: Iterable[Table]) -> Look:
    """The tables of a schema, parents first, and those that are declared and not there yet.

    Raises nothing, and creates nothing.
    """
    waiting = {table.name: table for table in declared}
    try:
        session = database.session
        there = {t.name: t for t in introspect(session.connection, [schema]).tables if _is_shown(t, schema)}
        rows = _rows(session, schema, there, waiting)
    except DjflowError as error:
        rows = [_row(table, None, None) for table in dependency_order(waiting.values())]
        told = f"(declared here: {counted(len(rows), 'table')}; the database cannot be asked: {error})"
        return Look(Grid(_HEADERS, rows, f"Schema {schema}", note=told), is_error=True)
    return Look(Grid(_HEADERS, rows, f"Schema {schema}", note=f"({counted(len(rows), 'table')})"))


def _is_shown(table: Table, schema: str) -> bool:
    return table.name.schema == schema and not table.name.is_hidden


def _rows(
    session: Session, schema: str, there: Mapping[TableName, Table], waiting: Mapping[TableName, Table]
) -> list[list[Cell]]:
    sizes = {TableName(schema, name): _Size(*found) for name, *found in _sizes(session, schema)}
    counts = _counts(session, there, sizes)
    return [
        _row(table, sizes.get(table.name), counts.get(table.name)) if table.name in there else _missing(table)
        for table in dependency_order({**waiting, **there}.values())
    ]


def _sizes(session: Session, schema: str) -> list[tuple[Any, ...]]:
    return session.reading(lambda connection: control(connection, _SIZES, [schema]))


def _counts(
    session: Session, there: Mapping[TableName, Table], sizes: Mapping[TableName, _Size]
) -> dict[TableName, int]:
    """The rows of small tables."""
    cheap: dict[TableName, Any] = {}
    left = _CHEAP
    for name in sorted((name for name in there if name in sizes), key=lambda name: sizes[name].heap):
        left -= sizes[name].heap
        if left >= 0:
            cheap[name] = Scan(there[name])
    try:
        return count_all(session, cheap)
    except DjflowError:  # one of them may not be read
        return {}


def _row(table: Table, size: _Size | None, count: int | None) -> list[Cell]:
    number: Cell = None
    if count is not None:
        number = Value(f"{count:,}")
    elif size is not None and size.estimate is not None:
        number = Value(rounded(size.estimate))
    total = None if size is None else Value(size_text(size.total))
    return [*cells(table.name.class_path, str(table.name.tier)), number, total, *_comment(table)]


def _missing(table: Table) -> list[Cell]:
    return [
        *cells(table.name.class_path, str(table.name.tier)),
        StandIn("not created"),
        None,
        *_comment(table),
    ]


def _comment(table: Table) -> list[Cell]:
    return cells(table.comment)
