"""What notifications say: which tables got rows, and which keys these have."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import arrow_type
from djflow.sql.watch import layout, told_keys

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Change:
    """Rows that were inserted into a table and are committed.

    `keys` are their primary keys, each once, in the exact types of the table; None where there were too many
    to tell, or something may have been missed: then look at the whole table. Such a row may be gone again.
    """

    table: TableName
    keys: "pl.DataFrame | None"


@dataclass(slots=True)
class _Gathered:
    """The values of each attribute of the key; None where the whole table is to be looked at."""

    columns: list[list[Any]] | None = field(default_factory=list)

    def add(self, columns: list[list[Any]]) -> None:
        if not columns or self.columns is None:
            self.columns = None
        elif not self.columns:
            self.columns = columns
        else:
            for known, more in zip(self.columns, columns, strict=True):
                known.extend(more)


def read_changes(payloads: Iterable[str], tables: Mapping[int, Table]) -> list[Change]:
    """One change for each table that notifications speak of; `tables` are known by their numbers.

    Whoever may connect can notify, so what makes no sense is no error.
    """
    gathered: dict[int, _Gathered] = {}
    for payload in payloads:
        number, columns = _parsed(payload)
        if number in tables:
            gathered.setdefault(number, _Gathered()).add(_fitting(columns, tables[number]))
    return [Change(tables[number].name, _frame(found, tables[number])) for number, found in gathered.items()]


def prepare(tables: Iterable[Table]) -> None:
    """Have imported what the first change would otherwise wait for."""
    for table in tables:
        _frame(_Gathered([[] for _ in told_keys(table)]), table)


def _parsed(payload: str) -> tuple[int, list[Any]]:
    try:
        number, *columns = json.loads(payload)
    except (ValueError, TypeError):
        return -1, []
    return (number, columns) if isinstance(number, int) else (-1, [])


def _fitting(columns: list[Any], table: Table) -> list[list[Any]]:
    """The columns, if they are those of the table's key."""
    if columns[:1] != [layout(told_keys(table))]:
        return []
    del columns[0]
    lengths = {len(column) if isinstance(column, list) else -1 for column in columns}
    fits = len(columns) == len(told_keys(table)) and len(lengths) == 1 and min(lengths) > 0
    return columns if fits else []


def _frame(gathered: _Gathered, table: Table) -> "pl.DataFrame | None":
    import polars as pl

    if gathered.columns is None:
        return None
    key = told_keys(table)
    try:
        arrays = [
            _array(values, arrow_type(attribute.stored))
            for values, attribute in zip(gathered.columns, key, strict=True)
        ]
    except (ValueError, TypeError, ArithmeticError, AttributeError, pa.ArrowException):
        return None  # a date before Christ or beyond 9999, infinity: PostgreSQL knows more than Arrow
    frame = pl.from_arrow(pa.table(arrays, names=[attribute.name for attribute in key]))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table, unlike an array, gives a frame
    return frame.unique(maintain_order=True)


def _array(values: list[Any], arrow: pa.DataType) -> pa.Array:
    if pa.types.is_floating(arrow):
        return pa.array(values, pa.string()).cast(arrow)
    return pa.array(map(_reader(arrow), values), arrow)


def _reader(arrow: pa.DataType) -> Callable[[Any], Any]:
    """What makes a Python value of what JSON has of one."""
    types = pa.types
    if types.is_decimal(arrow):
        return Decimal
    if types.is_binary(arrow):
        return bytes.fromhex
    if types.is_date(arrow):
        return date.fromisoformat
    if types.is_time(arrow):
        return time.fromisoformat
    if types.is_timestamp(arrow):
        return datetime.fromisoformat if arrow.tz is None else _in_utc
    return _itself


def _in_utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _itself(value: Any) -> Any:
    return value
