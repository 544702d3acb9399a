"""`<zarr@>`: one chunked, compressed Zarr array a row, read piece by piece."""

import json
from collections.abc import Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store

if TYPE_CHECKING:
    import zarr

CHUNK_BYTES: Final = 1 << 22  # 4 MiB, before compression
_COPY_BYTES: Final = 1 << 26  # how much of a Zarr array is in memory while it is copied
_KINDS: Final = "biufc"


class ZarrCodec(SchemaCodec):
    """Zarr v3 arrays; fetched as lazy, read-only `zarr.Array`.

    The array's metadata is kept in the row too, so that opening reads nothing from the store. A chunk that is
    missing from the store is an error, never a block of zeros.

    >>> ZarrCodec().get_dtype(is_store=True)
    'json'
    """

    name = "zarr"
    extension = ".zarr"

    def validate(self, value: Any) -> None:
        """Anything that NumPy takes for an array of numbers."""
        if not hasattr(value, "__array__"):
            raise TypeError(f"<zarr@> stores an array, not {type(value).__name__}; pass numpy.asarray(value)")
        kind = getattr(getattr(value, "dtype", None), "kind", None)
        if isinstance(kind, str) and kind not in _KINDS:
            raise TypeError(f"<zarr@> stores numbers and booleans, not {value.dtype}")

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one array, chunk by chunk."""
        from djflow.storage.codecs.zarr_array import create, metadata_text

        source = value if _is_zarr(value) else np.asarray(value)
        self.validate(source)
        target = create(store.zarr_store(path, read_only=False), source, chunk_shape(source))
        for block in copy_blocks(source.shape, target.chunks, source.dtype.itemsize):
            target[block] = source[block]
        store.sync(path)
        return {
            "dtype": str(source.dtype),
            "shape": list(source.shape),
            "size": store.size(path),
            "zarr": json.loads(metadata_text(target)),
        }

    def open(self, reference: Mapping[str, Any], store: Store) -> "zarr.Array[Any]":
        """The array; nothing is read yet."""
        from djflow.storage.codecs.zarr_array import open_array

        return open_array(store, reference["path"], reference["zarr"])

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path, dtype, shape and size."""
        del context
        return reference_column(column)


def chunk_shape(array: Any) -> tuple[int, ...]:
    """The chunks of an array: a Zarr array's own, else blocks of whole rows of about 4 MiB.

    >>> chunk_shape(np.empty((100, 1024, 1024), dtype="f4")), chunk_shape(np.empty((10, 3)))
    ((1, 1024, 1024), (10, 3))
    """
    if _is_zarr(array):
        return tuple(array.chunks)
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
    row = itemsize * (prod(shape[1:]) or 1)
    step = chunks[0] * max(1, _COPY_BYTES // (row * chunks[0]))
    for start in range(0, shape[0], step):
        yield (slice(start, min(start + step, shape[0])),)


def _is_zarr(value: Any) -> bool:
    # Looking at the name, so that an array from NumPy does not import Zarr.
    return type(value).__module__.partition(".")[0] == "zarr" and hasattr(value, "chunks")
