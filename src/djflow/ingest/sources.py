"""Recognises what a user handed to insert."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from djflow.errors import InvalidRowsError
from djflow.ingest import frames
from djflow.ingest.chunk import Chunk, in_turn
from djflow.ingest.dask.computing import results
from djflow.ingest.dask.frames import read_dask
from djflow.ingest.files import read_file
from djflow.ingest.rows import OnRefused, read_rows, refuse
from djflow.model.table import Heading

_ROWS: Final = (dict, tuple, list)
_FRAMES: Final = (("polars", "DataFrame"), ("polars", "LazyFrame"), ("pandas", "DataFrame"))


def read_source(source: Any, heading: Heading, on_refused: OnRefused = refuse) -> Iterator[Chunk]:
    """The rows of a source as chunks of bounded size, by column.

    `source` is an iterable of dicts, sequences or records; a Polars frame, lazy or not; a pandas frame;
    an Arrow table, batch or reader, or anything with `__arrow_c_stream__`; a numpy structured array;
    the path of a CSV or Parquet file; a Dask frame, computed partition by partition; or an iterable of
    frames, Arrow tables or batches, or of what `dask.delayed` makes of such. `heading` is what the rows are
    for: sequences follow its order.
    `on_refused` is told of rows that cannot be read; by default they, as sources that are none, raise
    `InvalidRowsError`.

    >>> from djflow.model.table import Attribute
    >>> from djflow.model.types import CoreType
    >>> heading = Heading((Attribute("id", CoreType("int32"), CoreType("int32"), in_key=True),))
    >>> [chunk.columns for chunk in read_source([{"id": 1}, (2,)], heading)]
    [{'id': [1, 2]}]
    """
    chunks = _read_columnar(source, heading)
    if chunks is not None:
        return chunks
    if isinstance(source, Path) or (isinstance(source, str) and source.endswith((".csv", ".parquet"))):
        return read_file(Path(source), heading)
    _refuse_one_row(source)
    if isinstance(source, Iterable):
        return _read_iterable(source, heading, on_refused)
    raise InvalidRowsError(
        f"Cannot insert from {type(source).__name__}. Give dicts, sequences, a frame of Polars, pandas or "
        "Dask, an Arrow table or reader, a numpy structured array, or the path of a CSV or Parquet file."
    )


def _read_columnar(source: Any, heading: Heading) -> Iterator[Chunk] | None:
    chunks = _read_family(source, heading)
    if chunks is not None:
        return chunks
    if isinstance(source, np.ndarray) and source.dtype.names:
        return frames.read_records(source, heading)
    if isinstance(source, pa.Table):
        return frames.read_arrow_table(source, heading)
    if isinstance(source, pa.RecordBatch):
        return frames.read_batches([source], heading)
    if hasattr(source, "__arrow_c_stream__"):
        return _read_stream(source, heading)
    if hasattr(source, "__arrow_c_array__"):
        return frames.read_batches([pa.record_batch(source)], heading)
    return None


def _read_family(source: Any, heading: Heading) -> Iterator[Chunk] | None:
    match _family(source):
        case "polars", "DataFrame":
            return frames.read_polars(source, heading)
        case "polars", "LazyFrame":
            return frames.read_lazy_polars(source, heading)
        case "pandas", "DataFrame":
            return frames.read_pandas(source, heading)
        case "dask", "DataFrame":
            return read_dask(source, heading)
        case "dask", "Delayed":
            return _read_delayed([source], heading)
        case "dask", kind:
            raise InvalidRowsError(
                f"Cannot insert from Dask's {kind}. Make a frame of it: to_frame() of a series, "
                "to_dataframe() of a bag, to_dask_dataframe() of an array."
            )
        case _:
            return None


def _family(source: Any) -> tuple[str, str]:
    """Package and class of a frame, told without importing the package."""
    for cls in type(source).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in ("polars", "pandas", "dask"):
            return package, cls.__name__
    return "", ""


def _read_stream(source: Any, heading: Heading) -> Iterator[Chunk]:
    try:
        reader = pa.RecordBatchReader.from_stream(source)
    except (pa.ArrowInvalid, ValueError) as error:
        raise InvalidRowsError(f"The {type(source).__name__} is not a stream of rows: {error}") from error
    seen = False
    for chunk in frames.read_batches(reader, heading):
        seen = True
        yield chunk
    if not seen:
        yield from frames.read_batches([frames.empty_batch(reader.schema)], heading)


def _read_iterable(source: Iterable[Any], heading: Heading, on_refused: OnRefused) -> Iterator[Chunk]:
    """The first item tells whether it gives rows, or frames of rows."""
    items = iter(source)
    for first in items:
        every = chain([first], items)
        if type(first) in _ROWS:
            yield from read_rows(every, heading, on_refused)
        elif _family(first) == ("dask", "Delayed"):
            yield from _read_delayed(every, heading)
        elif isinstance(first, pa.Table | pa.RecordBatch) or _family(first) in _FRAMES:
            yield from _read_pieces(every, heading)
        else:
            yield from read_rows(every, heading, on_refused)


def _read_delayed(pieces: Iterable[Any], heading: Heading) -> Iterator[Chunk]:
    return _read_pieces(results(list(pieces)), heading)


def _read_pieces(pieces: Iterable[Any], heading: Heading) -> Iterator[Chunk]:
    return in_turn(_read_piece(piece, heading) for piece in pieces)


def _read_piece(piece: Any, heading: Heading) -> Iterator[Chunk]:
    chunks = _read_columnar(piece, heading)
    if chunks is None:
        raise InvalidRowsError(f"Where frames are given, each must be one; here is a {type(piece).__name__}.")
    return chunks


def _refuse_one_row(source: Any) -> None:
    if isinstance(source, (Mapping, np.void)):
        raise InvalidRowsError("One row was given where many are expected: use insert1, or put it in a list.")
    if isinstance(source, (str, bytes, bytearray)):
        raise InvalidRowsError(
            f"Cannot insert from {type(source).__name__}. A path of a file must end in .csv or .parquet."
        )
