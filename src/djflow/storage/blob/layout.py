"""The bytes of the blob format: its marks, and the header of an array."""

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

NUMERIC: Final = b"mYm\0"  # one array of numbers, which MATLAB reads too
GENERAL: Final = b"dj0\0"
HEADER_SIZE: Final = 4

ARRAY: Final = b"A"
RECORDS: Final = b"F"
MATLAB_STRUCT: Final = b"S"
MATLAB_CELL: Final = b"C"
MATLAB_SPARSE: Final = b"P"
TUPLE: Final = b"\x01"
LIST: Final = b"\x02"
SET: Final = b"\x03"
DICT: Final = b"\x04"
STRING: Final = b"\x05"
BYTES: Final = b"\x06"
INTEGER: Final = b"\x0a"
BOOLEAN: Final = b"\x0b"
COMPLEX: Final = b"\x0c"
FLOAT: Final = b"\x0d"
DECIMAL: Final = b"d"
TIME: Final = b"t"
UUID: Final = b"u"
NONE: Final = b"\xff"

MAX_DEPTH: Final = 100  # containers within containers; keeps reading and writing off Python's recursion limit
MAX_DIMENSIONS: Final = 64  # NumPy's own limit
MAX_NAME: Final = 1024  # bytes of a field name
NO_DATE: Final = -1
NO_TIME: Final = -1

CHARACTERS: Final = 4  # type ids that are not numbers
OBJECTS: Final = 5
_UNITS: Final = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps")
_FIRST_DATETIME: Final = 0x10000

DTYPES: Final[dict[int, np.dtype[Any]]] = {
    3: np.dtype(np.bool_),
    6: np.dtype("<f8"),
    7: np.dtype("<f4"),
    8: np.dtype("<i1"),
    9: np.dtype("<u1"),
    10: np.dtype("<i2"),
    11: np.dtype("<u2"),
    12: np.dtype("<i4"),
    13: np.dtype("<u4"),
    14: np.dtype("<i8"),
    15: np.dtype("<u8"),
} | {_FIRST_DATETIME + i: np.dtype(f"<M8[{unit}]") for i, unit in enumerate(_UNITS)}
COMPLEX_DTYPES: Final[dict[int, np.dtype[Any]]] = {6: np.dtype("<c16"), 7: np.dtype("<c8")}
_IDS: Final[dict[np.dtype[Any], tuple[int, int]]] = {dtype: (i, 0) for i, dtype in DTYPES.items()} | {
    dtype: (i, 1) for i, dtype in COMPLEX_DTYPES.items()
}


def u32(value: int) -> bytes:
    """Four bytes, little-endian."""
    return struct.pack("<I", value)


def u64(*values: int) -> bytes:
    """Eight bytes for each value, little-endian."""
    return struct.pack(f"<{len(values)}Q", *values)


def storable(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """The little-endian twin of a dtype that the format holds, or None.

    >>> storable(np.dtype(">f4")) == np.dtype("f4"), storable(np.dtype("f2"))
    (True, None)
    """
    little = dtype.newbyteorder("<")
    return little if little in _IDS else None


@dataclass(frozen=True, slots=True)
class ArrayHeader:
    """What stands before the numbers of an array: its type and shape.

    `dtype` is one that `storable` returned. The numbers follow in Fortran order; of complex numbers,
    first all real parts and then all imaginary ones.

    >>> len(ArrayHeader(np.dtype("f8"), (3, 2)).encoded), ArrayHeader(np.dtype("f8"), (3, 2)).nbytes
    (33, 48)
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def encoded(self) -> bytes:
        """The header's bytes, from the mark of an array up to the first number."""
        type_id, is_complex = _IDS[self.dtype]
        return ARRAY + u64(len(self.shape), *self.shape) + u32(type_id) + u32(is_complex)

    @property
    def nbytes(self) -> int:
        """How many bytes the numbers take."""
        count = self.dtype.itemsize
        for extent in self.shape:
            count *= extent
        return count

    @property
    def protocol(self) -> bytes:
        """The header of a blob that holds this array alone."""
        return NUMERIC if self.shape and self.dtype.kind != "M" else GENERAL

    @property
    def part(self) -> np.dtype[Any]:
        """The type of the numbers as they lie in the blob: a complex number's is its real part's."""
        return np.empty(0, self.dtype).real.dtype if self.dtype.kind == "c" else self.dtype


def body_rows(rows: np.ndarray[Any, Any], header: ArrayHeader) -> np.ndarray[Any, Any]:
    """The bytes of many arrays, one a row: `rows` has shape `(n, *header.shape)` and any memory layout.

    >>> body_rows(np.array([[1, 2]], dtype="u1"), ArrayHeader(np.dtype("u1"), (2,)))
    array([[1, 2]], dtype=uint8)
    """
    count = len(rows)
    fortran = rows.transpose(0, *range(rows.ndim - 1, 0, -1)).reshape(count, -1)
    if header.dtype.kind == "c":
        fortran = np.concatenate([fortran.real, fortran.imag], axis=1)
    plain = np.ascontiguousarray(fortran, dtype=header.part)
    return plain.view(np.uint8).reshape(count, header.nbytes)


def rows_from_body(body: np.ndarray[Any, Any], header: ArrayHeader) -> np.ndarray[Any, Any]:
    """The inverse of `body_rows`; shares memory with a contiguous `body` where numbers are real.

    >>> rows_from_body(np.array([[1, 2]], dtype="u1"), ArrayHeader(np.dtype("u1"), (2,)))
    array([[1, 2]], dtype=uint8)
    """
    count, dimensions = len(body), len(header.shape)
    if header.dtype.kind == "b":
        numbers = body != 0  # a byte other than 0 and 1 would make a bool that is neither true nor false
    elif header.nbytes == 0:
        numbers = np.empty((count, 0), header.part)
    else:
        numbers = np.ascontiguousarray(body).view(header.part)
    if header.dtype.kind == "c":
        half = numbers.shape[1] // 2
        joined = np.empty((count, half), header.dtype)
        joined.real, joined.imag = numbers[:, :half], numbers[:, half:]
        numbers = joined
    rows: np.ndarray[Any, Any] = numbers.reshape(count, *reversed(header.shape)).transpose(
        0, *range(dimensions, 0, -1)
    )
    return rows
