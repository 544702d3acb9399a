"""Rows that repeat a key which an earlier row of the same source has."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.inspect import Inspected, Problems
from djflow.model.table import Attribute, CurrentTimestamp, Table
from djflow.model.types import CoreType, NativeType, StoredType, arrow_type, sql_type

if TYPE_CHECKING:
    import polars as pl

_EPOCH: Final = 946_684_800_000_000  # microseconds to 2000-01-01, from which PostgreSQL counts
_NOW: Final = -(2**62)  # microseconds: before the year 1
_DIGITS: Final = 6  # of a second's fraction


def key_columns(table: Table, inspected: Inspected) -> dict[str, pa.Array]:
    """The primary key of a chunk's rows as the server will compare it; null where it is not known yet."""
    return {
        name: _as_compared(_filled(table.heading[name], inspected), table.heading[name].stored)
        for name in table.heading.primary_key
    }


def _filled(attribute: Attribute, inspected: Inspected) -> pa.Array:
    column = inspected.columns.get(attribute.name)
    if column is None:
        column = pa.nulls(inspected.rows, arrow_type(attribute.stored))
    if isinstance(attribute.default, CurrentTimestamp):
        # One moment for all rows of an insert, which is none of those given.
        return column.fill_null(pa.scalar(_NOW, pa.int64()).cast(column.type))
    return column


def _as_compared(array: pa.Array, stored: StoredType) -> pa.Array:
    """Values that are equal here if they are equal there."""
    types = pa.types
    match stored:
        case CoreType("char"):
            return pc.utf8_rtrim(array, " ")
        case NativeType(sql) if sql.startswith("character("):
            return pc.utf8_rtrim(array, " ")
    if types.is_timestamp(array.type):
        return _rounded(array, stored)
    if types.is_floating(array.type):
        return pc.add(array, pa.scalar(0.0, array.type))  # which makes a zero of a negative zero
    if types.is_decimal256(array.type):  # for which Polars has no type
        return array.cast(pa.string())
    return array


def _rounded(array: pa.Array, stored: StoredType) -> pa.Array:
    """Timestamps to the digits that their column keeps."""
    _, _, behind = sql_type(stored).partition("(")
    digits = int(behind[0]) if behind else _DIGITS
    if digits == _DIGITS:
        return array
    since = pc.subtract(array.cast(pa.int64()), _EPOCH)
    return pc.round(since, ndigits=digits - _DIGITS, round_mode="half_towards_infinity")


def repeated_keys(table: Table, chunks: Sequence[dict[str, pa.Array]], rows: int) -> list[Problems]:
    """The rows whose whole key an earlier row has; `chunks` are those of all `rows`, in order."""
    import polars as pl

    names = table.heading.primary_key
    if not names:
        others = list(range(1, rows)) if table.is_singleton else []
        return [Problems(None, "the table holds one row at most", others)] if others else []
    keys = pl.DataFrame(pa.concat_tables([pa.table(chunk) for chunk in chunks]) if chunks else None)
    if keys.is_empty() or not _has_repeated(keys):
        return []
    numbered = keys.with_row_index("~row").drop_nulls(names)
    first = pl.col("~row").min().over(names).alias("~first")
    repeated = numbered.with_columns(first).filter(pl.col("~row") != pl.col("~first"))
    told = pl.format("repeats the primary key of row {}", "~first")
    texts = repeated.select(told).to_series().to_list()
    # A moment that the server chooses cannot be shown.
    given = [name for name in names if not isinstance(table.heading[name].default, CurrentTimestamp)]
    values = _texts(repeated.select(given)) if given else None
    return [Problems(", ".join(names), texts, repeated["~row"].to_list(), values)]


def _has_repeated(keys: "pl.DataFrame") -> bool:
    return keys.drop_nulls().is_duplicated().any()


def _texts(keys: "pl.DataFrame") -> list[str]:
    return [", ".join(map(repr, row)) for row in keys.iter_rows()]
