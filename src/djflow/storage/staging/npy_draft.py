"""Arrays in NumPy's format in the making: `staged.npy()`."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from djflow.errors import StorageError
from djflow.storage.chunks import BlockStream
from djflow.storage.codec import ColumnContext
from djflow.storage.npy_writer import NpyWriter
from djflow.storage.staging.draft import Draft, Place
from djflow.storage.staging.growing_file import ObjectFile
from djflow.storage.store import Store

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_OBJECTS: Final = "<npy@> cannot store an array of Python objects; use <blob@>"


class NpyDraft(Draft):
    """A `.npy` file of the row's own."""

    what = "npy"

    def __init__(self, context: ColumnContext, extension: str) -> None:
        self._place = Place.take(context, extension)
        self._file = ObjectFile(self._place.store, self._place.path)
        self._writer: NpyWriter | None = None
        self._begun: tuple[np.dtype[Any], tuple[int | None, ...]] | None = None

    def writing(self, dtype: "DTypeLike", shape: Sequence[int | None]) -> NpyWriter:
        """The array. Raises `StorageError` for Python objects, and for another array than it was begun as."""
        known, wanted = np.dtype(dtype), tuple(shape)
        if self._writer is None:
            if known.hasobject:
                raise StorageError(f"{_OBJECTS}.")
            self._writer, self._begun = NpyWriter(self._file.file, shape, known), (known, wanted)
        elif self._begun != (known, wanted):
            raise self._place.begun_otherwise()
        return self._writer

    def finish(self) -> str:
        """What the row keeps of the array."""
        if self._writer is None:
            raise self._place.nothing_written()
        return self._place.reference(_finished(self._writer, self._file))

    def abandon(self) -> None:
        """Close the file."""
        self._file.abandon()


def write_stream(stream: BlockStream, store: Store, path: str) -> Mapping[str, Any]:
    """Write the blocks of an array; returns what a row keeps of it.

    Raises `ValueError` for Python objects.
    """
    if stream.dtype.hasobject:
        raise ValueError(_OBJECTS)
    file = ObjectFile(store, path)
    try:
        writer = NpyWriter(file.file, (stream.extent, *stream.rest), stream.dtype)
        for block in stream:
            writer.append(block)
        return _finished(writer, file)
    finally:
        file.abandon()


def _finished(writer: NpyWriter, file: ObjectFile) -> Mapping[str, Any]:
    writer.finish()
    size, checksum = file.finish()
    return {
        "dtype": str(writer.dtype),
        "shape": list(writer.shape),
        "size": size,
        "checksum": checksum,
    }
