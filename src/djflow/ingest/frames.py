"""Columnar sources: Arrow, Polars, pandas and numpy's structured arrays."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from djflow.errors import DataTypeError
from djflow.ingest.chunk import Chunk, Column, frame_rows, in_turn
from djflow.model.table import Attribute, Heading
from djflow.model.types import ENCODED, CodecType, arrow_type

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

# Beyond this, a batch's text could outgrow the 32-bit offsets of the wire.
MAX_BATCH_BYTES: Final = 256 * 2**20


def read_batches(batches: Iterable[pa.RecordBatch], heading: Heading) -> Iterator[Chunk]:
    """Chunks of Arrow record batches, sliced without copying."""
    first_row = 0
    for batch in batches:
        _refuse_encoded(batch.schema, heading)
        for piece in _slices(batch, frame_rows(heading)):
            yield Chunk(dict(zip(piece.schema.names, piece.columns, strict=True)), piece.num_rows, first_row)
            first_row += piece.num_rows


def _refuse_encoded(schema: pa.Schema, heading: Heading) -> None:
    """Raise `DataTypeError` for what `to_arrow()` could not decode, where it would be encoded again."""
    for field in schema:
        codec = (field.metadata or {}).get(ENCODED)
        if codec is not None and field.name in heading and isinstance(heading[field.name].type, CodecType):
            raise DataTypeError(
                f"it holds values that {codec.decode()} has encoded, as to_arrow() gives them",
                column=field.name,
                expected="values, as to_dicts() gives them, or the query instead of its result",
                value=field.type,
            )


def _slices(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    if batch.nbytes > MAX_BATCH_BYTES:
        rows = max(1, min(rows, batch.num_rows * MAX_BATCH_BYTES // batch.nbytes))
    for start in range(0, max(batch.num_rows, 1), rows):
        yield batch.slice(start, rows)


def read_arrow_table(table: pa.Table, heading: Heading) -> Iterator[Chunk]:
    """Chunks of an Arrow table; an empty one still gives its names."""
    return read_batches(table.to_batches() or [empty_batch(table.schema)], heading)


def read_polars(frame: "pl.DataFrame", heading: Heading) -> Iterator[Chunk]:
    """Chunks of a Polars frame, exported slice by slice."""
    first_row = 0
    for piece in frame.iter_slices(frame_rows(heading)) if frame.height else (frame,):
        columns = {series.name: _polars_column(series) for series in piece}
        yield Chunk(columns, piece.height, first_row)
        first_row += piece.height


def _polars_column(series: "pl.Series") -> Column:
    # Arrow has no Python objects: exporting them would give their addresses.
    return series.to_list() if series.dtype.is_object() else series.to_arrow()


def read_lazy_polars(frame: "pl.LazyFrame", heading: Heading) -> Iterator[Chunk]:
    """Chunks of a lazy frame, which runs as a stream."""
    pieces = frame.collect_batches(chunk_size=frame_rows(heading), maintain_order=True)
    yield from in_turn(read_polars(piece, heading) for piece in pieces)


def read_pandas(frame: "pd.DataFrame", heading: Heading) -> Iterator[Chunk]:
    """Chunks of a pandas frame; named levels of its index are columns too.

    pandas marks what is missing by NaN, so NaN means null, except for a required float.
    """
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    rows = frame_rows(heading)
    for start in range(0, max(len(frame), 1), rows):
        piece = frame.iloc[start : start + rows]
        columns = {str(name): _pandas_column(piece[name], str(name), heading) for name in piece.columns}
        yield Chunk(columns, len(piece), start)


def _pandas_column(series: "pd.Series[Any]", name: str, heading: Heading) -> Column:
    holds_nan = name in heading and _holds_nan(heading[name])
    if series.dtype == object:
        return series.tolist() if holds_nan else _missing_to_none(series)
    return pa.array(series, from_pandas=not holds_nan)


def _missing_to_none(series: "pd.Series[Any]") -> list[Any]:
    missing = series.isna()
    return [None if gone else value for value, gone in zip(series, missing, strict=True)]


def _holds_nan(attribute: Attribute) -> bool:
    if attribute.nullable or isinstance(attribute.type, CodecType):
        return False
    return bool(pa.types.is_floating(arrow_type(attribute.stored)))


def read_records(records: "np.ndarray[Any, Any]", heading: Heading) -> Iterator[Chunk]:
    """Chunks of a structured array, by field."""
    records = np.atleast_1d(records)
    rows = frame_rows(heading)
    for start in range(0, max(len(records), 1), rows):
        piece = records[start : start + rows]
        yield Chunk({name: piece[name] for name in records.dtype.names or ()}, len(piece), start)


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    """No rows, but the names of a source that is empty."""
    return pa.RecordBatch.from_pylist([], schema=schema)
