"""A bounded piece of a source, held by column."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.model.table import Heading
from djflow.model.types import CodecType

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Column: TypeAlias = "pa.Array | pa.ChunkedArray | np.ndarray[Any, Any] | list[Any]"

FRAME_ROWS: Final = 65_536
PYTHON_ROWS: Final = 10_000
# Values that a codec encodes may be megabytes each, and a chunk holds them all twice.
CODEC_ROWS: Final = 256


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows `first_row` to `first_row + rows` of a source, by column; all columns are equally long.

    `from_rows` tells that the source has a key set per row, so that a missing name has a row to blame.
    """

    columns: Mapping[str, Column]
    rows: int
    first_row: int = 0
    from_rows: bool = False


def cut(chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """The chunk in pieces, none of which crosses a multiple of `rows` in the source.

    >>> [piece.columns for piece in cut(Chunk({"x": [3, 4, 5]}, rows=3, first_row=3), 2)]
    [{'x': [3]}, {'x': [4, 5]}]
    """
    if not chunk.rows:
        yield chunk
    start = 0
    while start < chunk.rows:
        first = chunk.first_row + start
        stop = min(chunk.rows, start + rows - first % rows)
        columns = {name: column[start:stop] for name, column in chunk.columns.items()}
        yield Chunk(columns, stop - start, first, chunk.from_rows)
        start = stop


def in_turn(sources: Iterable[Iterator[Chunk]]) -> Iterator[Chunk]:
    """The chunks of several sources, their rows counted on from one to the next.

    >>> piece = Chunk({"x": [3, 4]}, rows=2)
    >>> [chunk.first_row for chunk in in_turn([iter([piece]), iter([piece])])]
    [0, 2]
    """
    first_row = 0
    for source in sources:
        for chunk in source:
            yield replace(chunk, first_row=first_row)
            first_row += chunk.rows


def frame_rows(heading: Heading) -> int:
    """How many rows of a columnar source make a chunk."""
    return CODEC_ROWS if _has_codec(heading) else FRAME_ROWS


def python_rows(heading: Heading) -> int:
    """How many rows of Python objects make a chunk."""
    return CODEC_ROWS if _has_codec(heading) else PYTHON_ROWS


def _has_codec(heading: Heading) -> bool:
    return any(isinstance(attribute.type, CodecType) for attribute in heading)
