"""Rows of Python objects: mappings, sequences and numpy records, transposed chunk by chunk."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NoReturn, TypeAlias

import numpy as np

from djflow.errors import InvalidRowsError
from djflow.ingest.chunk import Chunk, python_rows
from djflow.model.table import Heading

OnRefused: TypeAlias = Callable[[InvalidRowsError], object]
"""What happens when a row cannot be read; if it returns, the row counts as one without values."""


def refuse(error: InvalidRowsError) -> NoReturn:
    """Stop at a row that cannot be read."""
    raise error


def read_rows(rows: Iterable[Any], heading: Heading, on_refused: OnRefused = refuse) -> Iterator[Chunk]:
    """Chunks of an iterable of rows, which is consumed lazily.

    Mappings, named tuples and numpy records go by name; other sequences by position in the heading.
    Keys that a row lacks become None. Raises `InvalidRowsError`, by default.
    """
    iterator, first_row = iter(rows), 0
    while window := list(islice(iterator, python_rows(heading))):
        yield _transpose(window, heading.names, first_row, on_refused)
        first_row += len(window)


def _transpose(window: list[Any], names: Sequence[str], first_row: int, on_refused: OnRefused) -> Chunk:
    mappings = [
        row if type(row) is dict else _mapping(row, names, first_row + i, on_refused)
        for i, row in enumerate(window)
    ]
    present: dict[str, None] = {}
    for mapping in mappings:
        present.update(dict.fromkeys(mapping))
    columns = {name: [mapping.get(name) for mapping in mappings] for name in present}
    return Chunk(columns, len(window), first_row, from_rows=True)


def _mapping(row: Any, names: Sequence[str], number: int, on_refused: OnRefused) -> Mapping[str, Any]:
    try:
        return _by_name(row, names, number)
    except InvalidRowsError as error:
        on_refused(error)
        return {}


def _by_name(row: Any, names: Sequence[str], number: int) -> Mapping[str, Any]:
    if isinstance(row, np.void) and row.dtype.names:
        return dict(zip(row.dtype.names, row.tolist(), strict=True))
    if hasattr(row, "_asdict"):
        named: Mapping[str, Any] = row._asdict()
        return named
    if hasattr(row, "keys"):
        return dict(row)
    if isinstance(row, (Sequence, np.ndarray)) and not isinstance(row, (str, bytes, bytearray)):
        return _positional(row, names, number)
    raise InvalidRowsError(
        f"Row {number} is of type {type(row).__name__}. Give each row as a dict, or as a sequence of "
        f"the values of {', '.join(names)}.",
        row=number,
    )


def _positional(
    row: "Sequence[Any] | np.ndarray[Any, Any]", names: Sequence[str], number: int
) -> dict[str, Any]:
    if len(row) != len(names):
        raise InvalidRowsError(
            f"Row {number} has {len(row)} values for {len(names)} attributes ({', '.join(names)}). "
            "Give them all, or give a dict.",
            row=number,
        )
    return dict(zip(names, row, strict=True))
