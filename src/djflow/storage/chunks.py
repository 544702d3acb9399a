"""An array that comes block by block."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from djflow.errors import DjflowError

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


@dataclass(frozen=True, slots=True, eq=False)
class Chunks:
    """An array for `<zarr@>` or `<npy@>` that is never in memory as a whole: blocks along its first axis.

    `blocks` gives arrays that belong one after the other; each has any number of rows. `shape` and `dtype`
    are those of the whole; where they are not given, the first block tells. A first extent of None becomes
    as long as the blocks are together. `chunks` is the shape of Zarr's chunks, by default of about 4 MiB.

    >>> halves = (np.full((2, 3), i, "u1") for i in range(2))
    >>> stream = Chunks(halves, shape=(None, 3)).stream()
    >>> stream.dtype, stream.rest, [block.tolist() for block in stream]
    (dtype('uint8'), (3,), [[[0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]]])
    """

    blocks: Iterable[Any]
    shape: tuple[int | None, ...] | None = None
    dtype: "DTypeLike | None" = None
    chunks: tuple[int, ...] | None = None

    def check(self) -> None:
        """Raise `TypeError` or `ValueError` for what cannot be an array; nothing is read."""
        if not isinstance(self.blocks, Iterable):
            raise TypeError(f"Chunks takes an iterable of arrays, not {type(self.blocks).__name__}")
        if self.shape is not None and (not self.shape or any(extent is None for extent in self.shape[1:])):
            raise ValueError(f"of the shape of Chunks only the first extent can be None, not {self.shape}")
        _check_extents("shape", [extent for extent in self.shape or () if extent is not None], 0)
        _check_extents("chunks", self.chunks or (), 1)

    def stream(self) -> "BlockStream":
        """The blocks, checked while they come. Reads the first one.

        Raises `ValueError` for an error of the iterator, and where there is no block and no shape or dtype.
        """
        self.check()
        blocks = _told(self.blocks)
        first = next(blocks, None)
        shape, dtype = self.shape, self.dtype
        if first is not None:
            blocks = chain([first], blocks)
            shape = shape or (None, *first.shape[1:])
            dtype = first.dtype if dtype is None else dtype
        if shape is None or dtype is None:
            raise ValueError(
                "there is no block; give Chunks a shape and a dtype, or an iterator that is not used up"
            )
        return BlockStream(blocks, shape[0], tuple(extent or 0 for extent in shape[1:]), np.dtype(dtype))


@dataclass(frozen=True, slots=True)
class BlockStream:
    """Blocks of one type: `extent` rows together, or None where nobody knows, each of shape `rest`."""

    blocks: Iterator["np.ndarray[Any, Any]"]
    extent: int | None
    rest: tuple[int, ...]
    dtype: "np.dtype[Any]"

    def __iter__(self) -> Iterator["np.ndarray[Any, Any]"]:
        """Raises `ValueError` for a block that does not fit, with its number."""
        rows = 0
        for number, block in enumerate(self.blocks):
            if block.shape[1:] != self.rest or not block.ndim:
                expected = ", ".join(["n", *map(str, self.rest)])
                raise ValueError(f"block {number} has shape {block.shape}, not ({expected})")
            if not np.can_cast(block.dtype, self.dtype, "same_kind"):
                raise ValueError(f"block {number} is of {block.dtype}, which is not cast to {self.dtype}")
            rows += len(block)
            if self.extent is not None and rows > self.extent:
                raise ValueError(f"the blocks have more than the {self.extent} rows that their shape tells")
            yield block.astype(self.dtype, copy=False)
        if self.extent is not None and rows < self.extent:
            raise ValueError(f"the blocks have {rows} rows and their shape tells {self.extent}")


def check_mask(value: object) -> None:
    """Raise `TypeError` for an array of which nothing but its mask tells what counts.

    >>> check_mask(np.ma.masked_array([1, 2], mask=[False, True]))
    Traceback (most recent call last):
    TypeError: the mask of an array is not kept; fill it with .filled(...)
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError("the mask of an array is not kept; fill it with .filled(...)")


def advice(value: object) -> str:
    """What to pass in place of a value that is no array.

    >>> advice([1, 2]), advice(iter([]))
    ('pass numpy.asarray(value)', 'pass dj.Chunks(value), if it gives blocks of an array')
    """
    if isinstance(value, Iterator):
        return "pass dj.Chunks(value), if it gives blocks of an array"
    return "pass numpy.asarray(value)"


def in_rows(blocks: Iterable["np.ndarray[Any, Any]"], rows: int) -> Iterator["np.ndarray[Any, Any]"]:
    """The same rows in blocks of `rows`; the last one may have fewer.

    >>> [len(block) for block in in_rows([np.zeros(3), np.zeros(4), np.zeros(0), np.zeros(2)], 4)]
    [4, 4, 1]
    """
    held: list[np.ndarray[Any, Any]] = []
    count = 0
    for block in blocks:
        at = 0
        while count + len(block) - at >= rows:
            held.append(block[at : at + rows - count])
            at += rows - count
            yield _joined(held)
            held, count = [], 0
        if at < len(block):
            held.append(block[at:].copy())  # whoever made it may fill it anew
            count += len(block) - at
    if held:
        yield _joined(held)


def _check_extents(name: str, extents: Iterable[Any], least: int) -> None:
    """Raise `TypeError` or `ValueError` for what is no whole number, or too small for an extent."""
    for extent in extents:
        if index(extent) < least:
            raise ValueError(f"an extent in the {name} of Chunks is at least {least}, not {extent}")


def _joined(blocks: list["np.ndarray[Any, Any]"]) -> "np.ndarray[Any, Any]":
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _told(blocks: Iterable[Any]) -> Iterator["np.ndarray[Any, Any]"]:
    """Blocks as arrays; an error of whoever makes them tells after how many it came."""
    number = 0
    try:
        for block in blocks:
            check_mask(block)
            yield np.asarray(block)
            number += 1
    except DjflowError as error:  # which may tell that the transaction should be tried again
        error.add_note(f"It was raised by the iterator of blocks, at block {number}.")
        raise
    except Exception as error:
        raise ValueError(f"the iterator of blocks failed at block {number}: {error!r}") from error
