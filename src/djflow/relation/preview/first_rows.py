"""The first rows of a relation as cells: without objects, long texts or anything else that is not shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from djflow.display.grid import Cell, Header, StandIn, Value
from djflow.display.objects import of_bytes, of_reference
from djflow.display.values import value_text
from djflow.engine import run
from djflow.model.table import Attribute
from djflow.model.types import CodecType, CoreType, NativeType, StoredType
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.nodes import Node, Project
from djflow.relation import fetch
from djflow.relation.database import Database

_MOST_COLUMNS: Final = 30
_MOST_LETTERS: Final = 1_000
_BYTES: Final = (CoreType("bytes"), NativeType("bytea"))
_LONG: Final = ("text", "character", "bpchar", "json", "xml", "hstore")  # and what begins so


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The first rows, at most so many as were asked for; `are_more` tells of others behind them."""

    rows: tuple[tuple[Cell, ...], ...]
    are_more: bool


def shown_attributes(plan: Node) -> tuple[Attribute, ...]:
    """Those that are read and shown; others are only named."""
    return tuple(plan.heading)[:_MOST_COLUMNS]


def left_out(plan: Node) -> tuple[str, ...]:
    """The names of the others."""
    return plan.heading.names[len(shown_attributes(plan)) :]


def headers(plan: Node) -> tuple[Header, ...]:
    """The heads of the columns that are shown."""
    return tuple(
        Header(
            attribute.name,
            str(attribute.type),
            in_key=attribute.in_key,
            is_number=_is_number(attribute),
            hint=attribute.comment,
        )
        for attribute in shown_attributes(plan)
    )


def _is_number(attribute: Attribute) -> bool:
    return not isinstance(attribute.type, CodecType) and s.is_numeric(attribute.stored)


def first_rows(plan: Node, database: Database, limit: int) -> FirstRows:
    """The first rows, in the order of the relation, else by primary key.

    Creates no tables, and decodes no values. Raises the typed errors of a query.
    """
    attributes = shown_attributes(plan)
    first = analyze.top(plan, limit=limit + 1)
    looked = Project(first, tuple(map(_outlined, attributes)))
    stored = fetch.arranged(run.whole(database.session, looked), looked)
    columns = [_cells(stored.column(place)[:limit], each) for place, each in enumerate(attributes)]
    rows = tuple(zip(*columns, strict=True)) if columns else ((),) * min(stored.num_rows, limit)
    return FirstRows(rows, are_more=stored.num_rows > limit)


def _outlined(attribute: Attribute) -> tuple[Attribute, s.Scalar]:
    """What is read of an attribute: of bytes how many there are, of what may be long the beginning."""
    column = s.Column(attribute.name, attribute.stored)
    if attribute.stored in _BYTES:
        return _of(attribute, s.INT64), s.Call("octet_length", (column,), s.INT64)
    if _may_be_long(attribute):
        text = column if s.is_text(attribute.stored) else s.Cast(column, s.TEXT)
        most = s.Constant(_MOST_LETTERS, s.INT64)
        return _of(attribute, s.TEXT), s.Call("left", (text, most), s.TEXT)
    return _of(attribute, attribute.stored), column


def _of(attribute: Attribute, stored: StoredType) -> Attribute:
    return replace(attribute, type=stored, stored=stored)


def _may_be_long(attribute: Attribute) -> bool:
    if attribute.in_key:
        return False
    match attribute.stored:
        case CoreType("varchar", (most,)):
            return most > _MOST_LETTERS
        case CoreType("json"):
            return not isinstance(attribute.type, CodecType)  # references are read as a whole
        case NativeType(sql):
            return sql.startswith(_LONG) or sql.endswith("[]")
        case _:
            return False


def _cells(column: pa.ChunkedArray, attribute: Attribute) -> Sequence[Cell]:
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):  # dates that Python does not know
        values = column.cast(pa.string()).to_pylist()
    return [None if value is None else _cell(value, attribute) for value in values]


def _cell(value: object, attribute: Attribute) -> Cell:
    kind = attribute.type
    if attribute.stored in _BYTES:
        assert isinstance(value, int)  # noqa: S101 - only its length was read
        return StandIn(of_bytes(kind.name if isinstance(kind, CodecType) else "bytes", value))
    if isinstance(kind, CodecType):
        return StandIn(of_reference(kind.name, str(value)))
    return Value(value_text(value)[:_MOST_LETTERS], is_cut=isinstance(value, str | list | bytes))
