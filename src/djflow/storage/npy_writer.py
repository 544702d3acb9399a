"""Arrays in NumPy's format, written in pieces."""

from collections.abc import Sequence
from math import prod
from operator import index
from typing import IO, Any

import numpy as np

from djflow.errors import StorageError
from djflow.storage.chunks import check_mask
from djflow.storage.staging.growing_file import GrowingFile, writing_to


class NpyWriter:
    """An array in the making: rows are appended, or assigned where the number of rows is known.

    `shape` is the whole shape; a first extent of None grows with what is appended.

    >>> from djflow.storage.staging.growing_file import TemporaryFile
    >>> file = TemporaryFile()
    >>> writer = NpyWriter(file, (None, 2), np.dtype("u1"))
    >>> writer.append([[1, 2], [3, 4]])
    >>> writer.finish()
    >>> np.load(file.place).tolist(), writer.shape
    ([[1, 2], [3, 4]], (2, 2))
    >>> file.abandon()
    """

    def __init__(self, file: GrowingFile, shape: Sequence[int | None], dtype: np.dtype[Any]) -> None:
        self._extent, self._rest = _split(shape)
        self.dtype = dtype
        self._rows = 0
        self._file: IO[Any] = file.open("w+b")
        self._name = file.place.name
        with writing_to(self._name):
            self._write_header()
            self._start = self._file.tell()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array, so far if it grows."""
        return (self._rows if self._extent is None else self._extent, *self._rest)

    def append(self, rows: Any) -> None:
        """Add rows after the last one that was appended.

        Raises `StorageError` for rows that do not fit, `StoreFullError` where there is no room.
        """
        block = self._fitting(rows)
        if self._extent is not None and self._rows + len(block) > self._extent:
            raise StorageError(
                f"The staged array has {self._extent} rows, and no room for {len(block)} more."
            )
        self._put(self._rows, block)
        self._rows += len(block)

    def __setitem__(self, rows: Any, values: Any) -> None:
        """Assign a row, or a slice of rows without a step. Raises as `append` does."""
        start, stop = self._bounds(rows)
        block = self._array(values)
        try:
            whole = np.broadcast_to(block, (stop - start, *self._rest))
        except ValueError as error:
            raise StorageError(f"These rows of the staged array take other values: {error}.") from error
        self._put(start, self._fitting(whole))

    def finish(self) -> None:
        """Complete the file."""
        with writing_to(self._name):
            self._file.seek(0)
            self._write_header()
            if self._file.tell() != self._start:
                raise StorageError(f"The header of {self._name!r} outgrew its place.")
            self._file.truncate(self._start + prod(self.shape) * self.dtype.itemsize)
            self._file.close()

    def _bounds(self, rows: Any) -> tuple[int, int]:
        extent = self.shape[0]
        if not isinstance(rows, slice):
            at = index(rows)
            if not -extent <= at < extent:
                raise StorageError(f"The staged array has no row {at}: there are {extent}.")
            return at % extent, at % extent + 1
        start, stop, step = rows.indices(extent)
        if step != 1:
            raise StorageError("Rows of a staged array are assigned without a step between them.")
        return start, max(start, stop)

    def _fitting(self, rows: Any) -> "np.ndarray[Any, Any]":
        block = self._array(rows)
        if block.shape[1:] != self._rest or not block.ndim:
            expected = ", ".join(["n", *map(str, self._rest)])
            raise StorageError(f"The staged array takes rows of shape ({expected}), not {block.shape}.")
        if not np.can_cast(block.dtype, self.dtype, "same_kind"):
            raise StorageError(f"The staged array is of {self.dtype}, to which {block.dtype} is not cast.")
        return np.ascontiguousarray(block, self.dtype)

    def _array(self, values: Any) -> "np.ndarray[Any, Any]":
        try:
            check_mask(values)
            return np.asarray(values, None if hasattr(values, "dtype") else self.dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise StorageError(f"The staged array takes arrays of {self.dtype}: {error}.") from error

    def _put(self, row: int, block: "np.ndarray[Any, Any]") -> None:
        if not block.size:
            return
        if self._file.closed:
            raise StorageError("The staged array is complete: the block of its insert has ended.")
        with writing_to(self._name):
            self._file.seek(self._start + row * prod(self._rest) * self.dtype.itemsize)
            self._file.write(block.reshape(-1).view(np.uint8).data)

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": self.shape,
        }
        try:
            np.lib.format.write_array_header_1_0(self._file, header)
        except ValueError:  # many fields
            np.lib.format.write_array_header_2_0(self._file, header)


def _split(shape: Sequence[int | None]) -> tuple[int | None, tuple[int, ...]]:
    if not len(shape):
        raise StorageError("A staged array has a first axis, along which it is written.")
    rest = tuple(extent for extent in shape[1:] if extent is not None)
    if len(rest) != len(shape) - 1:
        raise StorageError(f"Only the first extent of a staged array can be None, not {tuple(shape)}.")
    if any(index(extent) < 0 for extent in shape if extent is not None):
        raise StorageError(f"An extent of a staged array is at least 0, not {tuple(shape)}.")
    return shape[0], rest
