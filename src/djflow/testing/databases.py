"""Hypothesis strategies of values and of small databases; they need the package `hypothesis`."""

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import CoreType, EnumType, StoredType
from djflow.testing.naive_scalar import Row, Rows
from djflow.testing.naive_values import convert, kind_of

Rowsets: TypeAlias = dict[TableName, Rows]

# What has gone wrong in databases before: quotes, escapes, wildcards, placeholders, other scripts, blanks.
AWKWARD_TEXTS: Final = (
    "",
    "a",
    "ab",
    "it's",
    "a\\b",
    "100%",
    "A",
    '"q"',
    "\\",
    "_",
    "a_b",
    " a ",
    "é",
    "É",
    "中文",
    "😀",
    "$1",
    "%s",
    "{x}",
    "NULL",
    "a\nb",
    "--",
    "1.5",
)
_ALPHABET: Final = "abAB '\"\\%_é😀\n,"
_FLOATS: Final = (0.0, -0.0, 0.5, -1.5, 0.1, 2.0, 3.0, 1e10, -7.25)
_SPECIAL_FLOATS: Final = (float("nan"), float("inf"), float("-inf"))
_POOLS: Final[Mapping[str, tuple[Any, ...]]] = {
    "int8": (1, 2, 3, 1, 2, 0, 127),
    "int16": (1, 2, 3, 1, 2, 0, -32768),
    "int32": (1, 2, 3, 1, 2, -5, 2**31 - 1),
    "int64": (1, 2, 3, 1, 2, 2**53 + 1, -(2**40)),
    "float64": (*_FLOATS, *_SPECIAL_FLOATS),
    "bool": (True, False),
    "date": tuple(map(dt.date.fromisoformat, ("2024-02-29", "2024-01-01", "1999-12-31", "0001-01-01"))),
    "datetime": tuple(
        map(
            dt.datetime.fromisoformat,
            ("2024-02-29T00:00:00", "2024-01-01T23:59:59.999999", "1999-12-31T12:00:00.5"),
        )
    ),
    "bytes": (b"", b"\x00", b"abc", b"\xff\xfe'\\"),
    "json": ({}, {"k": 1, "s": "it's"}, {"k": [1, "x", None], "d": {"y": True}}, [1, 2.5], "text", 3),
    "uuid": ("00000000-0000-0000-0000-000000000000", "12345678-1234-5678-1234-567812345678"),
}


@cache
def values(type_: StoredType) -> st.SearchStrategy[Any]:
    """Values that a column of the type can hold, with repetitions likely; never null.

    Text for enums and UUIDs, documents for json.
    """
    match type_:
        case EnumType(labels):
            return st.sampled_from(labels)
        case CoreType("char", (length,)):
            return texts().filter(lambda text: len(text) <= length).map(lambda text: text.rstrip(" "))
        case CoreType("varchar", (length,)):
            return texts().filter(lambda text: len(text) <= length)
        case CoreType("decimal", (precision, scale)):
            return _decimals(int(precision), int(scale))
        case CoreType("float32"):
            return st.sampled_from([convert(value, type_) for value in _FLOATS])
        case _:
            pool = _POOLS.get(kind_of(type_))
            return texts() if pool is None else st.sampled_from(pool)


@cache
def texts() -> st.SearchStrategy[str]:
    """Short texts, mostly awkward ones."""
    common = st.sampled_from(AWKWARD_TEXTS[1:6])
    return common | common | st.sampled_from(AWKWARD_TEXTS) | st.text(_ALPHABET, max_size=4)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    with localcontext(prec=100):
        largest = Decimal(10**precision - 1).scaleb(-scale)
        pool = (Decimal("1.5"), Decimal(2), Decimal("1.5"), Decimal(0), Decimal("-0.5"), largest, -largest)
        return st.sampled_from([value.quantize(Decimal(1).scaleb(-scale)) for value in pool])


@st.composite
def databases(draw: st.DrawFn, tables: Sequence[Table], max_rows: int = 5) -> Rowsets:
    """Rows for all tables, parents listed first: keys are unique and foreign keys resolve."""
    stored: Rowsets = {}
    for table in tables:
        stored[table.name] = draw(_rows(table, stored, max_rows))
    return stored


@st.composite
def _rows(draw: st.DrawFn, table: Table, stored: Rowsets, max_rows: int) -> Rows:
    if table.is_singleton:
        max_rows = 1
    by_key: dict[tuple[Any, ...], Row] = {}
    for _ in range(draw(st.sampled_from((*range(max_rows, 0, -1), *range(max_rows + 1))))):
        row = draw(_row(table, stored, tuple(by_key.values())))
        if row is not None:
            by_key[tuple(row.get(name) for name in table.primary_key)] = row
    return list(by_key.values())


@st.composite
def _row(draw: st.DrawFn, table: Table, stored: Rowsets, others: Sequence[Row]) -> Row | None:
    """A row, or nothing where no row of a parent that it needs is left."""
    row: Row = {}
    for key in table.foreign_keys:
        parents: list[Row | None] = [
            parent
            for parent in stored[key.parent]
            if _agrees(row, parent, key)
            and not (key.unique and any(_refers(other, parent, key) for other in others))
        ]
        if key.nullable:
            parents.append(None)
        if not parents:
            return None
        parent = draw(st.sampled_from(parents))
        row = {own: parent and parent[referenced] for own, referenced in key.columns} | row
    for attribute in table.heading:
        if attribute.name not in row:
            row[attribute.name] = draw(_value(attribute))
    return row


def _agrees(row: Row, parent: Row, key: ForeignKey) -> bool:
    return all(own not in row or row[own] == parent[referenced] for own, referenced in key.columns)


def _refers(row: Row, parent: Row, key: ForeignKey) -> bool:
    return all(row[own] == parent[referenced] for own, referenced in key.columns)


def _value(attribute: Attribute) -> st.SearchStrategy[Any]:
    found = values(attribute.stored)
    return st.none() | found if attribute.nullable else found
