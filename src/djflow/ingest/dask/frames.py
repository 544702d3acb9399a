"""A Dask frame as chunks, partition by partition."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeGuard

import pyarrow as pa

from djflow.errors import DataTypeError
from djflow.ingest.chunk import Chunk, Column, in_turn
from djflow.ingest.convert import attempt_for
from djflow.ingest.dask.computing import results
from djflow.ingest.frames import read_pandas
from djflow.ingest.kernels.refusal import Refusal
from djflow.model.table import Attribute, Heading
from djflow.model.types import CodecType

if TYPE_CHECKING:
    import dask.dataframe as dd


def read_dask(frame: "dd.DataFrame", heading: Heading) -> Iterator[Chunk]:
    """Chunks of a Dask frame; named levels of its index are columns too.

    The first one has no rows: names and types can be refused before anything is computed. Raises
    `DataTypeError` for a column of a type of which no value fits.
    """
    for chunk in read_pandas(frame._meta, heading):  # noqa: SLF001 - Dask gives it no other name
        yield chunk
        _check_types(chunk, heading)
    partitions = results(frame.to_delayed())  # type: ignore[no-untyped-call]
    yield from in_turn(read_pandas(partition, heading) for partition in partitions)


def _check_types(chunk: Chunk, heading: Heading) -> None:
    for name, values in chunk.columns.items():
        if name not in heading or not _tells_type(values, heading[name]):
            continue
        attribute = heading[name]
        try:
            attempt_for(attribute.stored)(values)
        except Refusal as refusal:
            raise DataTypeError(
                f"so the Dask frame's meta says, but {refusal.reason}",
                column=name,
                expected=str(attribute.type),
                value=values.type,
            ) from refusal


def _tells_type(values: Column, attribute: Attribute) -> TypeGuard["pa.Array"]:
    """Whether it follows from the type of a column without rows that others fit or don't."""
    # Objects may be anything, what a codec takes is its own affair, and NaN is what pandas has for nulls.
    return (
        isinstance(values, pa.Array | pa.ChunkedArray)
        and not isinstance(attribute.type, CodecType)
        and not (attribute.nullable and pa.types.is_floating(values.type))
    )
