"""Reading one value of the blob format from bytes that nobody vouches for."""

import datetime as dt
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import prod
from struct import unpack as unpack_struct
from typing import Any, Final, NoReturn

import numpy as np

from djflow.errors import CorruptObjectError
from djflow.storage.blob import layout
from djflow.storage.blob.compression import Buffer, expand
from djflow.storage.blob.layout import ArrayHeader, rows_from_body

_SIZE: Final = 8  # bytes of the length before each item of a container


def unpack(data: Buffer) -> Any:
    r"""The value that a blob holds.

    Reads what `pack` writes and what DataJoint and MATLAB wrote: a MATLAB cell becomes an array of objects,
    a MATLAB struct a record array.

    Raises `CorruptObjectError` for anything that is not exactly one well-formed blob.

    >>> unpack(b"dj0\0\x0b\x01")
    True
    >>> unpack(b"dj0\0\x0b")
    Traceback (most recent call last):
    djflow.errors.CorruptObjectError: A blob ends early: 1 bytes are missing at byte 5.
    """
    plain = memoryview(expand(data))
    cursor = Cursor(plain, layout.HEADER_SIZE, len(plain))
    if bytes(plain[: layout.HEADER_SIZE]) not in (layout.NUMERIC, layout.GENERAL):
        raise CorruptObjectError("A blob starts with neither 'mYm' nor 'dj0'", position=0)
    try:
        value = read(cursor)
    except (ValueError, TypeError, OverflowError, MemoryError, InvalidOperation) as error:
        raise CorruptObjectError(
            f"A blob holds an impossible value ({error})", position=cursor.position
        ) from error
    cursor.finish()
    return value


@dataclass(slots=True)
class Cursor:
    """A place in a blob; reads never pass `end`. `depth` counts the containers around it."""

    data: memoryview
    position: int
    end: int
    depth: int = 0

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self.end - self.position

    def take(self, count: int) -> memoryview:
        """The next `count` bytes."""
        start = self.position
        if count > self.end - start:
            self.fail(f"A blob ends early: {count - self.end + start} bytes are missing")
        self.position = start + count
        return self.data[start : self.position]

    def u32(self) -> int:
        """The next four bytes as an unsigned number."""
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        """The next eight bytes as an unsigned number."""
        return int.from_bytes(self.take(8), "little")

    def count(self, size: int) -> int:
        """The next number, of items that take at least `size` bytes each."""
        count = self.u64()
        self.need(count * size)
        return count

    def need(self, count: int) -> None:
        """Fail early, before anything is allocated, if fewer bytes are left."""
        if count > self.remaining:
            self.fail(f"A blob ends early: {count - self.remaining} bytes are missing")

    def text(self) -> str:
        """The next text up to a zero byte."""
        longest = self.data[self.position : min(self.end, self.position + layout.MAX_NAME)]
        length = bytes(longest).find(b"\0")
        if length < 0:
            self.fail("A name in a blob has no end")
        return str(self.take(length + 1)[:length], "utf-8")

    def inner(self, end: int) -> "Cursor":
        """A cursor for what a container at this place holds, up to `end`."""
        if self.depth >= layout.MAX_DEPTH:
            self.fail(f"A blob nests containers more than {layout.MAX_DEPTH} deep")
        return Cursor(self.data, self.position, end, self.depth + 1)

    def finish(self) -> None:
        """Fail unless all bytes were read."""
        if self.remaining:
            self.fail(f"A blob has {self.remaining} bytes after its value")

    def fail(self, reason: str) -> NoReturn:
        """Refuse the blob at the present place."""
        raise CorruptObjectError(reason, position=self.position)


def read(cursor: Cursor) -> Any:
    """The value at the cursor."""
    mark = bytes(cursor.take(1))
    reader = _READERS.get(mark)
    if reader is None:
        if mark == layout.MATLAB_SPARSE:
            cursor.fail("A blob holds a sparse MATLAB array, which is not supported; store it as full()")
        cursor.fail(f"A blob has an unknown type code {mark!r}")
    return reader(cursor)


def read_header(cursor: Cursor) -> tuple[int, bool, tuple[int, ...]]:
    """Type id, whether complex, and shape of the array at the cursor, behind its mark."""
    shape = _shape(cursor)
    return cursor.u32(), bool(cursor.u32()), shape


def numeric_header(type_id: int, is_complex: bool, shape: tuple[int, ...]) -> ArrayHeader | None:  # noqa: FBT001
    """The header of an array of numbers, or None for other arrays."""
    dtype = (layout.COMPLEX_DTYPES if is_complex else layout.DTYPES).get(type_id)
    return None if dtype is None else ArrayHeader(dtype, shape)


def _shape(cursor: Cursor) -> tuple[int, ...]:
    dimensions = cursor.u64()
    if dimensions > layout.MAX_DIMENSIONS:
        cursor.fail(f"An array in a blob has {dimensions} dimensions")
    return tuple(cursor.u64() for _ in range(dimensions))


def _array(cursor: Cursor) -> Any:
    type_id, is_complex, shape = read_header(cursor)
    header = numeric_header(type_id, is_complex, shape)
    if header is not None:
        return _numbers(cursor, header)
    if type_id == layout.OBJECTS:
        return _objects(cursor, shape)
    if type_id == layout.CHARACTERS:
        return _characters(cursor, shape)
    return cursor.fail(f"An array in a blob has an unknown element type {type_id}")


def _numbers(cursor: Cursor, header: ArrayHeader) -> Any:
    body = np.frombuffer(cursor.take(header.nbytes), np.uint8)
    rows = rows_from_body(body.reshape(1, header.nbytes), header)
    value = rows[0] if rows.flags.writeable else rows[0].copy(order="F")
    return value if header.shape else value[()]


def _objects(cursor: Cursor, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    count = prod(shape)
    cursor.need(count * _SIZE)
    flat = np.empty(count, object)
    for i in range(count):
        flat[i] = _item(cursor)
    return flat.reshape(shape, order="F")


def _characters(cursor: Cursor, shape: tuple[int, ...]) -> Any:
    codes = np.frombuffer(cursor.take(prod(shape) * 2), "<u2").astype("<u4")
    if codes.size == 0:
        return np.empty(shape, "<U1")
    letters = codes.view("<U1").reshape(shape, order="F")
    one_line = len(shape) == 2 and shape[0] == 1  # noqa: PLR2004 - a MATLAB string is a matrix of one row
    return np.array(["".join(letters[0].tolist())]) if one_line else letters


def _records(cursor: Cursor) -> np.ndarray[Any, Any]:
    names = _names(cursor)
    columns = [_column(cursor) for _ in names]
    if not columns or any(column.shape != columns[0].shape for column in columns):
        cursor.fail("The fields of records in a blob differ in shape")
    dtype = np.dtype([(name, column.dtype) for name, column in zip(names, columns, strict=True)])
    records = np.recarray(columns[0].shape, dtype)
    for name, column in zip(names, columns, strict=True):
        records[name] = column
    return records


def _matlab_struct(cursor: Cursor) -> np.ndarray[Any, Any]:
    shape = _shape(cursor)
    names = _names(cursor)
    count = prod(shape)
    if not names:
        cursor.fail("A MATLAB struct in a blob has no fields")
    cursor.need(count * len(names) * _SIZE)
    flat = np.recarray((count,), np.dtype([(name, object) for name in names]))
    for i in range(count):
        flat[i] = tuple(_item(cursor) for _ in names)
    return flat.reshape(shape, order="F")


def _matlab_cell(cursor: Cursor) -> np.ndarray[Any, Any]:
    return _objects(cursor, _shape(cursor))


def _names(cursor: Cursor) -> list[str]:
    count = cursor.u32()
    cursor.need(count)
    return [cursor.text() for _ in range(count)]


def _column(cursor: Cursor) -> np.ndarray[Any, Any]:
    inner = cursor.inner(cursor.end)
    column = np.asarray(read(inner))
    cursor.position = inner.position
    return column


def _item(cursor: Cursor) -> Any:
    size = cursor.count(1)
    inner = cursor.inner(cursor.position + size)
    value = read(inner)
    inner.finish()
    cursor.position = inner.end
    return value


def _list(cursor: Cursor) -> list[Any]:
    return [_item(cursor) for _ in range(cursor.count(_SIZE))]


def _tuple(cursor: Cursor) -> tuple[Any, ...]:
    return tuple(_list(cursor))


def _set(cursor: Cursor) -> set[Any]:
    return set(_list(cursor))


def _dict(cursor: Cursor) -> dict[Any, Any]:
    return {_item(cursor): _item(cursor) for _ in range(cursor.count(2 * _SIZE))}


def _string(cursor: Cursor) -> str:
    return str(cursor.take(cursor.u64()), "utf-8")


def _bytes(cursor: Cursor) -> bytes:
    return bytes(cursor.take(cursor.u64()))


def _integer(cursor: Cursor) -> int:
    size = int.from_bytes(cursor.take(2), "little")
    return int.from_bytes(cursor.take(size), "little", signed=True)


def _boolean(cursor: Cursor) -> bool:
    return cursor.take(1)[0] != 0


def _float(cursor: Cursor) -> Any:
    return unpack_struct("<d", cursor.take(8))[0]


def _complex(cursor: Cursor) -> complex:
    return complex(*unpack_struct("<dd", cursor.take(16)))


def _decimal(cursor: Cursor) -> Decimal:
    return Decimal(_string(cursor))


def _uuid(cursor: Cursor) -> uuid.UUID:
    return uuid.UUID(bytes=bytes(cursor.take(16)))


def _moment(cursor: Cursor) -> dt.date | dt.time | None:
    number, clock = unpack_struct("<iq", cursor.take(12))
    date = None if number == layout.NO_DATE else dt.date(number // 10000, number // 100 % 100, number % 100)
    if clock == layout.NO_TIME:
        return date
    seconds, microsecond = divmod(clock, 10**6)
    time = dt.time(seconds // 10000, seconds // 100 % 100, seconds % 100, microsecond)
    return time if date is None else dt.datetime.combine(date, time)


def _none(_cursor: Cursor) -> None:
    return None


_READERS: Final[dict[bytes, Callable[[Cursor], Any]]] = {
    layout.ARRAY: _array,
    layout.RECORDS: _records,
    layout.MATLAB_STRUCT: _matlab_struct,
    layout.MATLAB_CELL: _matlab_cell,
    layout.TUPLE: _tuple,
    layout.LIST: _list,
    layout.SET: _set,
    layout.DICT: _dict,
    layout.STRING: _string,
    layout.BYTES: _bytes,
    layout.INTEGER: _integer,
    layout.BOOLEAN: _boolean,
    layout.COMPLEX: _complex,
    layout.FLOAT: _float,
    layout.DECIMAL: _decimal,
    layout.TIME: _moment,
    layout.UUID: _uuid,
    layout.NONE: _none,
}
