"""Writing arrays and trees of arrays to a Zarr store, a few blocks at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from djflow.errors import StorageError
from djflow.storage.chunks import BlockStream, Chunks, advice, check_mask, in_rows
from djflow.storage.handles.checksums import tree_checksum
from djflow.storage.paths import check_path

if TYPE_CHECKING:
    from zarr.abc.store import Store as ZarrStore

    from djflow.storage.codecs.zarr_array import SummingStore

CHUNK_BYTES: Final = 1 << 22  # 4 MiB, before compression
_COPY_BYTES: Final = 1 << 26  # how much of an array is in memory while it is copied
_KINDS: Final = "biufc"
_LONGEST_NAME: Final = 255  # bytes; in file systems
_ENDLESS: Final = 1 << 62  # rows, where nobody knows how many there will be


@dataclass(frozen=True, slots=True)
class Outline:
    """What an array without content is."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def check_node(value: Any) -> None:
    """Raise `TypeError` or `ValueError` for what is neither an array of numbers nor a tree of such arrays."""
    if _of(value, "xarray"):
        raise TypeError(
            "<zarr@> would lose labels of xarray; pass .values, or write them with "
            '.to_zarr(staged.zarr(field).store, mode="w")'
        )
    if is_group(value):
        for name, member in members(value):
            _check_name(name)
            check_node(member)
        return
    if isinstance(value, Chunks):
        value.check()
    elif not hasattr(value, "__array__"):
        raise TypeError(
            f"<zarr@> stores arrays and dicts of them, not {type(value).__name__}; {advice(value)}"
        )
    check_mask(value)
    check_kind(getattr(value, "dtype", None))


def check_kind(dtype: Any) -> None:
    """Raise `TypeError` for elements that are neither numbers nor booleans."""
    kind = getattr(dtype, "kind", None)
    if isinstance(kind, str) and kind not in _KINDS:
        raise TypeError(f"<zarr@> stores numbers and booleans, not {dtype}")


def write_node(store: "ZarrStore", value: Any, path: str = "") -> None:
    """Write an array, or a group and all below it, at a path of a new store."""
    from djflow.storage.codecs.zarr_array import create_group

    if not is_group(value):
        _write_array(store, value, path)
        return
    create_group(store, path, dict(getattr(value, "attrs", {})))
    for name, member in members(value):
        write_node(store, member, f"{path}/{name}" if path else name)


def _write_array(store: "ZarrStore", value: Any, path: str) -> None:
    from djflow.storage.codecs.zarr_array import create

    if isinstance(value, Chunks):
        stream = value.stream()
        check_kind(stream.dtype)
        _write_blocks(store, stream, path, value.chunks)
        return
    source: Any = value if _of(value, "zarr") or _of(value, "dask") else np.asarray(value)
    check_node(source)
    target = create(store, path, source, chunk_shape(source))
    written = target.shards or target.chunks
    if _of(source, "dask"):
        # In whole chunks, so that tasks never write to the same one.
        source.rechunk(written or -1).store(target, lock=False)
    elif isinstance(source, np.ndarray):
        target[...] = source
    else:
        _copy(source, target, written)


def _copy(source: Any, target: Any, written: tuple[int, ...]) -> None:
    for block in copy_blocks(source.shape, written, source.dtype.itemsize):
        target[block] = source[block]


def _write_blocks(store: "ZarrStore", stream: BlockStream, path: str, chunks: tuple[int, ...] | None) -> None:
    from djflow.storage.codecs.zarr_array import create

    rest, dtype = stream.rest, stream.dtype
    chunks = chunks or growing_chunk_shape((stream.extent, *rest), dtype)
    target = create(store, path, Outline((stream.extent or 0, *rest), dtype), chunks)
    at = 0
    for block in in_rows(stream, _rows_at_once(target.chunks, rest, dtype.itemsize)):
        if stream.extent is None:
            target.resize((at + len(block), *rest))
        target[at : at + len(block)] = block
        at += len(block)


def growing_chunk_shape(shape: tuple[int | None, ...], dtype: np.dtype[Any]) -> tuple[int, ...]:
    """The chunks of an array that may begin empty and grow along its first axis, of about 4 MiB.

    >>> growing_chunk_shape((None, 1024, 512), np.dtype("u2"))
    (4, 1024, 512)
    """
    extents = (shape[0] or _ENDLESS, *[extent or 1 for extent in shape[1:]]) if shape else ()
    return chunk_shape(Outline(extents, dtype))


def described(target: "SummingStore") -> dict[str, Any]:
    """What a row keeps of what was written to a store."""
    document = target.document
    array = (
        {}
        if document["node_type"] == "group"
        else {"dtype": document["data_type"], "shape": document["shape"]}
    )
    sums = {"size": sum(target.sizes.values()), "checksum": tree_checksum(target.checksums)}
    return {**array, **sums, "zarr": document}


def is_group(value: Any) -> bool:
    """Whether a value is a dict or a Zarr group."""
    return isinstance(value, Mapping) or (_of(value, "zarr") and not hasattr(value, "chunks"))


def members(value: Any) -> Iterator[tuple[Any, Any]]:
    """The names and nodes directly in a group."""
    yield from (value.items() if isinstance(value, Mapping) else value.members())


def _check_name(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"names in a Zarr group are texts, not {type(name).__name__}")
    try:
        check_path(name)
    except StorageError as error:
        raise ValueError(error) from error
    if len(name.encode()) > _LONGEST_NAME:
        raise ValueError(f"{name[:20]!r}... is too long for the name of a folder")
    if "/" in name or name.startswith("__") or name == "zarr.json":
        raise ValueError(f"{name!r} is no name in a Zarr group; nest dicts for groups in groups")


def chunk_shape(array: Any) -> tuple[int, ...]:
    """The chunks of an array: those of Zarr and Dask, else blocks of whole rows of about 4 MiB.

    >>> chunk_shape(np.empty((100, 1024, 1024), dtype="f4")), chunk_shape(np.empty((10, 3)))
    ((1, 1024, 1024), (10, 3))
    """
    if _of(array, "zarr"):
        return tuple(array.chunks)
    if _of(array, "dask"):
        return tuple(max(1, extent) for extent in array.chunksize)
    chunks: list[int] = []
    room = max(1, CHUNK_BYTES // array.dtype.itemsize)
    for axis, extent in enumerate(array.shape):
        inner = prod(array.shape[axis + 1 :]) or 1
        longest = max(1, min(extent, room // inner))
        pieces = -(-extent // longest)
        chunks.append(-(-extent // pieces) if pieces else 1)  # even pieces, not a full one and a crumb
        room = max(1, room // chunks[-1])
    return tuple(chunks)


def copy_blocks(
    shape: tuple[int, ...], chunks: tuple[int, ...], itemsize: int
) -> Iterator[tuple[slice, ...]]:
    """Slices along the first axis that cover whole chunks and about 64 MiB each.

    >>> list(copy_blocks((3, 2), (1, 2), itemsize=1 << 25))
    [(slice(0, 1, None),), (slice(1, 2, None),), (slice(2, 3, None),)]
    """
    if not shape:
        yield ()
        return
    step = _rows_at_once(chunks, shape[1:], itemsize)
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])),)


def _rows_at_once(chunks: tuple[int, ...], rest: tuple[int, ...], itemsize: int) -> int:
    row = itemsize * (prod(rest) or 1)
    return chunks[0] * max(1, _COPY_BYTES // (row * chunks[0]))


def _of(value: Any, library: str) -> bool:
    # Looking at names, so that an array from NumPy does not import Zarr or Dask.
    return any(kind.__module__.partition(".")[0] == library for kind in type(value).__mro__)
