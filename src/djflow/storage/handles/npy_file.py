"""Files in NumPy's own format, read into memory that there is, whole or a range of rows."""

from ast import literal_eval
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from math import prod
from operator import index as as_integer
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np

from djflow.errors import CorruptObjectError
from djflow.storage.parallel import map_threads
from djflow.storage.store import Store

Array: TypeAlias = np.ndarray[Any, Any]

_MAGIC: Final = b"\x93NUMPY"
_LONGEST_HEADER: Final = 10_000  # bytes; beyond, evaluating a literal is not safe
_IN_ONE_PIECE: Final = 1 << 22  # bytes of a file that is fetched by one request, without asking its size
_PIECE: Final = 1 << 24  # bytes read at a time
_AT_ONCE: Final = 4  # pieces of a remote file, since a server gives each connection a share of what it can


@dataclass(frozen=True, slots=True)
class NpyHeader:
    """What a `.npy` file tells of its array; `offset` is where the elements begin, in bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    offset: int


def read_header(file: BinaryIO) -> NpyHeader:
    """The header at the beginning of a file; what follows next in the file are the elements.

    Raises `ValueError` for any other file, `EOFError` for one that ends too early.
    """
    start = _exactly(file, 10)
    if not start.startswith(_MAGIC):
        raise ValueError("it is no .npy file")
    major = start[6]
    size = start[8:] if major == 1 else start[8:] + _exactly(file, 2)
    length = int.from_bytes(size, "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"its header has {length:,} bytes")
    dtype, shape, is_fortran = _parse(_exactly(file, length), "utf-8" if major > 2 else "latin1")  # noqa: PLR2004
    return NpyHeader(dtype, shape, is_fortran, 8 + len(size) + length)


def read_array(
    store: Store, path: str, dtype: np.dtype[Any], shape: tuple[int, ...], out: Array | None = None
) -> Array:
    """The array of a file, in `out` where that is given.

    Raises `MissingExternalFile` for an absent file, `CorruptObjectError` for another array.
    """
    small = prod(shape) * dtype.itemsize <= _IN_ONE_PIECE
    with BytesIO(store.get(path)) if small else store.open(path) as file:
        try:
            header = _checked(file, dtype, shape)
            target = _place_for(header, out)
            if small or store.local_path(path) is not None:
                _fill(file, target)
            else:
                _fill_in_pieces(store, path, header.offset, target)
            array = target.T if header.is_fortran else target
        except (ValueError, EOFError) as error:
            raise corrupt(path, error) from error
    if out is not None and array is not out:
        out[...] = array
    return array if out is None else out


def read_rows(
    store: Store, path: str, dtype: np.dtype[Any], shape: tuple[int, ...], rows: range
) -> Array | None:
    """A range of rows, of which no more than these is read; None where columns lie together, not rows.

    Raises as `read_array` does.
    """
    with store.open(path) as file:
        try:
            header = _checked(file, dtype, shape)
            if header.is_fortran:
                return None
            file.seek(header.offset + rows.start * prod(shape[1:]) * dtype.itemsize)
            found = np.empty((len(rows), *shape[1:]), dtype)
            _fill(file, found)
        except (ValueError, EOFError) as error:
            raise corrupt(path, error) from error
    return found


def leading_rows(index: Any, length: int) -> tuple[range, Any] | None:
    """Which of `length` rows an index begins with, and the index into these; None where it says otherwise.

    Raises `IndexError` for a row that there is not.

    >>> leading_rows((slice(2, 9, 3), 0), 100)
    (range(2, 9), (slice(0, 7, 3), 0))
    >>> leading_rows(-1, 100)
    (range(99, 100), (0,))
    """
    first, *rest = index if isinstance(index, tuple) and index else (index,)
    if isinstance(first, slice) and (first.step is None or first.step > 0):
        start, stop, step = first.indices(length)
        rows = range(start, max(start, stop))
        return rows, (slice(0, len(rows), step), *rest)
    if isinstance(first, int | np.integer) and not isinstance(first, bool):
        row = as_integer(first)
        if not -length <= row < length:
            raise IndexError(f"index {row} is out of bounds for axis 0 with size {length}")
        return range(row % length, row % length + 1), (0, *rest)
    return None


def corrupt(path: str, reason: object) -> CorruptObjectError:
    """The error for a file that does not hold the array that was written."""
    return CorruptObjectError(f"Not the array that was written: {str(reason).rstrip('.')}", path=path)


def parse_dtype(text: str) -> np.dtype[Any]:
    """The dtype that `str(dtype)` told, structured ones too.

    >>> parse_dtype("float64"), parse_dtype("[('a', '<i4')]")
    (dtype('float64'), dtype([('a', '<i4')]))
    """
    plain = text.replace("(numpy.record, ", "(")  # files tell the fields alone
    return np.dtype(literal_eval(plain) if plain[:1] in ("[", "{", "(") else plain)


@lru_cache  # the arrays of a column often have one shape
def _parse(text: bytes, encoding: str) -> tuple[np.dtype[Any], tuple[int, ...], bool]:
    try:
        told = literal_eval(text.decode(encoding))
        dtype, shape = np.lib.format.descr_to_dtype(told["descr"]), tuple(map(as_integer, told["shape"]))
        is_fortran = bool(told["fortran_order"])
    except (SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"its header is unreadable ({error!r})") from error
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError(f"it says that it holds {dtype} of shape {shape}")
    return dtype, shape, is_fortran


def _checked(file: BinaryIO, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NpyHeader:
    header = read_header(file)
    if (header.dtype, header.shape) != (dtype, shape):
        found = f"{header.dtype} of shape {header.shape}"
        raise ValueError(f"the file holds {found}, the row says {dtype} of shape {shape}")
    return header


def _place_for(header: NpyHeader, out: Array | None) -> Array:
    if header.is_fortran:
        return np.empty(header.shape[::-1], header.dtype)
    fits = out is not None and out.flags.c_contiguous and out.dtype == header.dtype
    return out if out is not None and fits else np.empty(header.shape, header.dtype)


def _fill(file: BinaryIO, target: Array) -> None:
    """Fill an array with the bytes that come next."""
    view, position = _bytes_of(target), 0
    while position < len(view):
        count = file.readinto(view[position : position + _PIECE].data)  # type: ignore[attr-defined] # files have it
        if not count:
            raise EOFError(f"the file ends after {position:,} of {len(view):,} bytes")
        position += count


def _fill_in_pieces(store: Store, path: str, offset: int, target: Array) -> None:
    """Fill an array with the bytes from `offset` on, several pieces at a time."""
    view = _bytes_of(target)

    def read(start: int) -> None:
        with store.open(path) as file:
            file.seek(offset + start)
            _fill(file, view[start : start + _PIECE])

    map_threads(read, range(0, len(view), _PIECE), _AT_ONCE)


def _bytes_of(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8) if array.nbytes else np.empty(0, np.uint8)


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) < count:
        raise EOFError("the file ends in its header")
    return data
