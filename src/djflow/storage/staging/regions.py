"""Regions of arrays that several writers share: whole chunks, so that no two write to the same one."""

from collections.abc import Sequence
from itertools import starmap
from operator import index
from typing import Any, Final, TypeAlias

from djflow.errors import RegionError, StorageError

Region: TypeAlias = tuple[tuple[int, int], ...]
_EVERY: Final = slice(None)


def check_region(selection: Any, shape: Sequence[int], chunks: Sequence[int]) -> None:
    """Raise `RegionError` for a selection that has parts of chunks.

    `chunks` is the shape of what is written at once: of a shard, where there are any. The last chunks of an
    axis may reach over its end. Raises `StorageError` for what is no region: masks, lists, steps.

    >>> check_region(slice(4, 8), (10, 3), (4, 3))
    >>> check_region((slice(8, None), ...), (10, 3), (4, 3))
    >>> check_region(slice(2, 6), (10, 3), (4, 3))
    Traceback (most recent call last):
    djflow.errors.RegionError: Region [2:6, 0:3] has parts of chunks of shape (4, 3), to which ...
    """
    region = region_of(selection, shape)
    if any(start >= stop for start, stop in region):
        return  # nothing is written
    nearest = around(region, shape, chunks)
    if nearest != region:
        raise RegionError(_shown(region), str(tuple(chunks)), _shown(nearest))


def region_of(selection: Any, shape: Sequence[int]) -> Region:
    """Where a selection begins and ends on each axis.

    >>> region_of((-1, ..., slice(None, 2)), (4, 5, 6))
    ((3, 4), (0, 5), (0, 2))
    """
    given = selection if isinstance(selection, tuple) else (selection,)
    dots = [place for place, each in enumerate(given) if each is Ellipsis]
    missing = len(shape) - (len(given) - len(dots))
    if len(dots) > 1 or missing < 0:
        raise _no_region(selection)
    at = dots[0] if dots else len(given)
    whole = (*given[:at], *[_EVERY] * missing, *given[at + 1 :])
    return tuple(_bounds(each, extent, selection) for each, extent in zip(whole, shape, strict=True))


def around(region: Region, shape: Sequence[int], chunks: Sequence[int]) -> Region:
    """The smallest region of whole chunks that has all of a region.

    >>> around(((2, 6), (0, 1)), (7, 3), (4, 3))
    ((0, 7), (0, 3))
    """
    return tuple(
        (start // chunk * chunk, min(-(-stop // chunk) * chunk, extent))
        for (start, stop), extent, chunk in zip(region, shape, chunks, strict=True)
    )


def _bounds(each: Any, extent: int, selection: Any) -> tuple[int, int]:
    if isinstance(each, slice):
        start, stop, step = each.indices(extent)
        if step == 1:
            return start, stop
        raise _no_region(selection)
    try:
        number = -1 - extent if isinstance(each, bool) else index(each)
    except TypeError as error:
        raise _no_region(selection) from error
    if not -extent <= number < extent:
        raise _no_region(selection)
    return number % extent, number % extent + 1


def _no_region(selection: Any) -> StorageError:
    return StorageError(f"{selection!r} is no region of the array that several writers share.").suggest(
        "Write to slices without steps, which are made of whole chunks."
    )


def _shown(region: Region) -> str:
    return f"[{', '.join(starmap('{}:{}'.format, region))}]"
