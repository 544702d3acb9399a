"""A chunk of a source to record batches that fit a table."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, overload

import numpy as np
import pyarrow as pa

from djflow.errors import (
    ConfigError,
    DataTypeError,
    InvalidRowsError,
    MissingAttributeError,
    UnknownAttributeError,
)
from djflow.ingest.chunk import Chunk
from djflow.ingest.columns import codec_values
from djflow.ingest.convert import check_nulls, convert
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType, arrow_type

Encode: TypeAlias = Callable[[Attribute, Any, int, Sequence[Mapping[str, Any]]], pa.Array]
"""Encodes a codec's column: the attribute, its values, the number of their first row, the key of each row.

Values are a sequence, or one stacked array with a value in each row.

Raises `DataTypeError`, whose row counts from the first value, or `TypeError` or `ValueError`.
"""


def conform(
    chunk: Chunk, table: Table, *, ignore_extra_fields: bool = False, encode: Encode
) -> list[pa.RecordBatch]:
    """The rows of a chunk in the exact types of a table.

    A batch's columns are those of the table that the rows give values for, named and ordered as in the
    table; the server gives the others their defaults. So it does where a row gives None to an attribute
    that has a default and is not nullable: such rows come in a batch of their own.
    Raises `UnknownAttributeError`, `MissingAttributeError`, `DataTypeError`, `InvalidRowsError`.
    """
    heading = table.heading
    if not ignore_extra_fields:
        _check_names(chunk, table)
    given = [a for a in table.columns if a.name in chunk.columns and not a.is_hidden]
    _check_complete(chunk, table)
    if not chunk.rows:
        return []
    if not given:
        raise InvalidRowsError(
            f"The rows give no value for any attribute of {table.name} ({', '.join(heading.names)})."
        )
    columns = _convert_plain(chunk, table, given)
    columns |= _encode_rest(chunk, table, given, KeyRows(_key_columns(table, columns), chunk.rows), encode)
    rows = pa.table({a.name: columns[a.name] for a in given})
    return [batch for part in _split_by_defaults(rows, given) for batch in part.combine_chunks().to_batches()]


def _check_names(chunk: Chunk, table: Table) -> None:
    names = table.heading.names
    for name in chunk.columns:
        if name not in names:
            # Keys of dicts may be anything.
            error = UnknownAttributeError(str(name), names, context=str(table.name))
            if str(name).lower() in names:
                error.suggest(f"Names are told apart by case: write {str(name).lower()!r}.")
            raise error.suggest("Pass ignore_extra_fields=True to leave out what the table lacks.")


def _check_complete(chunk: Chunk, table: Table) -> None:
    for attribute in table.heading:
        if attribute.is_required and not attribute.nullable and attribute.name not in chunk.columns:
            row = chunk.first_row if chunk.from_rows else None
            raise MissingAttributeError(attribute.name, table=str(table.name), row=row)


def _convert_plain(chunk: Chunk, table: Table, given: Sequence[Attribute]) -> dict[str, pa.Array]:
    return {
        a.name: convert(chunk.columns[a.name], a, chunk.first_row, str(table.name))
        for a in given
        if not isinstance(a.type, CodecType)
    }


def _encode_rest(
    chunk: Chunk,
    table: Table,
    given: Sequence[Attribute],
    keys: Sequence[Mapping[str, Any]],
    encode: Encode,
) -> dict[str, pa.Array]:
    # After every other column has passed: an encoder may write objects, which a refused row would strand.
    encoded = {}
    for attribute in given:
        if isinstance(attribute.type, CodecType):
            values = codec_values(chunk.columns[attribute.name])
            encoded[attribute.name] = _encode_column(values, attribute, chunk, table, keys, encode)
    return encoded


def _encode_column(
    values: "Sequence[Any] | np.ndarray[Any, Any]",
    attribute: Attribute,
    chunk: Chunk,
    table: Table,
    keys: Sequence[Mapping[str, Any]],
    encode: Encode,
) -> pa.Array:
    name = str(table.name)
    if isinstance(values, list):  # a stacked array has a value in each row
        present = pa.array([None if v is None else True for v in values], pa.bool_())
        check_nulls(present, attribute, chunk.first_row, name)
    try:
        array = encode(attribute, values, chunk.first_row, keys)
    except DataTypeError as error:
        raise _renumbered(error, chunk.first_row) from error
    except ConfigError:  # a store's; the values are right
        raise
    except (TypeError, ValueError) as error:
        raise _codec_refusal(error, values, attribute, chunk, name) from error
    target = arrow_type(attribute.stored)
    return array if array.type == target else array.cast(target)


def _renumbered(error: DataTypeError, first_row: int) -> DataTypeError:
    """The error of a column, its row counted from the start of the source."""
    return DataTypeError(
        error.reason,
        column=error.column,
        expected=error.expected,
        row=None if error.row is None else first_row + error.row,
        value=error.value,
        table=error.table,
    )


def _codec_refusal(
    error: Exception,
    values: "Sequence[Any] | np.ndarray[Any, Any]",
    attribute: Attribute,
    chunk: Chunk,
    table: str,
) -> DataTypeError:
    # With several rows the encoder alone knows which one it was.
    alone = len(values) == 1
    return DataTypeError(
        f"cannot be encoded ({error})",
        column=attribute.name,
        expected=str(attribute.type),
        row=chunk.first_row if alone else None,
        value=values[0] if alone else f"{len(values)} values from row {chunk.first_row} on",
        table=table,
    )


def _key_columns(table: Table, columns: Mapping[str, pa.Array]) -> dict[str, pa.Array]:
    return {name: columns[name] for name in table.heading.primary_key if name in columns}


@dataclass(frozen=True, slots=True)
class KeyRows(Sequence[Mapping[str, Any]]):
    """The primary keys of a chunk's rows; made into Python values when a codec first asks for one."""

    columns: Mapping[str, pa.Array]
    rows: int
    _values: list[dict[str, Any]] = field(default_factory=list, init=False, repr=False)

    def __len__(self) -> int:
        return self.rows

    @overload
    def __getitem__(self, row: int) -> Mapping[str, Any]: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Mapping[str, Any]]: ...
    def __getitem__(self, row: int | slice) -> Mapping[str, Any] | Sequence[Mapping[str, Any]]:
        if not self._values:
            self._values.extend(pa.table(dict(self.columns)).to_pylist() or [{} for _ in range(self.rows)])
        return self._values[row]


def _split_by_defaults(rows: pa.Table, given: Sequence[Attribute]) -> Iterator[pa.Table]:
    """The rows, apart by which of their nulls stand for a default; those columns left out."""
    replaceable = [
        a.name for a in given if a.default is not None and not a.nullable and rows[a.name].null_count
    ]
    if not replaceable:
        yield rows
        return
    patterns = sum(
        rows[name].is_null().to_numpy().astype(np.int64) << bit for bit, name in enumerate(replaceable)
    )
    for pattern in np.unique(patterns):
        absent = [name for bit, name in enumerate(replaceable) if pattern >> bit & 1]
        part = rows.filter(pa.array(patterns == pattern)).drop_columns(absent)
        if not part.num_columns:
            raise InvalidRowsError("A row gives no value at all: every attribute would take its default.")
        yield part
