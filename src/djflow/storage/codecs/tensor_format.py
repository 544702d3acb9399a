"""Arrays of numbers as bytes: a header that tells type and shape, then the elements.

The header is the mark, the type as NumPy spells it in eight bytes, the number of dimensions in four and each
extent in eight; numbers are little-endian, elements in C order.
"""

import re
from dataclasses import dataclass
from math import prod
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from djflow.errors import CorruptObjectError
from djflow.storage.blob.columns import Blobs

Array: TypeAlias = np.ndarray[Any, Any]

KINDS: Final = "biufcmM"
_MARK: Final = b"DJT1"
_FIXED: Final = 16  # bytes of a header without its extents
_TYPE: Final = re.compile(rb"[<|](?:b1|[iu][1248]|f[248]|c(?:8|16)|[mM]8\[\d*[a-zA-Z]+\])\0*\Z")
_MOST_DIMENSIONS: Final = 64
_MAX_BINARY: Final = 2**31 - 1  # bytes in an array with 32-bit offsets


@dataclass(frozen=True, slots=True)
class Header:
    """Type and shape of one array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def encoded(self) -> bytes:
        """The header's bytes.

        >>> len(Header(np.dtype("f4"), (2, 3)).encoded)
        32
        """
        text = self.dtype.str.encode().ljust(8, b"\0")
        extents = np.array(self.shape, "<u8").tobytes()
        return _MARK + text + len(self.shape).to_bytes(4, "little") + extents

    @property
    def width(self) -> int:
        """How many bytes header and elements take."""
        return _FIXED + 8 * len(self.shape) + self.dtype.itemsize * prod(self.shape)


def storable(array: Array) -> Array:
    """The array with little-endian elements.

    Raises `TypeError` for elements that are no numbers, booleans or times.
    """
    dtype = array.dtype
    if dtype.kind not in KINDS or not _TYPE.match(dtype.newbyteorder("<").str.encode().ljust(8, b"\0")):
        raise TypeError(f"<tensor> stores numbers, booleans and times, not {dtype}")
    return array.astype(dtype.newbyteorder("<"), copy=False)


def encode_one(array: Array) -> bytes:
    """The bytes of one array.

    >>> decode_one(encode_one(np.arange(6).reshape(2, 3))).tolist()
    [[0, 1, 2], [3, 4, 5]]
    """
    plain = storable(array)
    return Header(plain.dtype, plain.shape).encoded + plain.tobytes()


def decode_one(data: bytes | memoryview) -> Array:
    """The array in bytes, a copy. Raises `CorruptObjectError` for bytes that are none."""
    header = read_header(memoryview(data))
    start = header.width - header.dtype.itemsize * prod(header.shape)
    return np.frombuffer(data, np.uint8)[start:].copy().view(header.dtype).reshape(header.shape)


def encode_stack(stack: Array) -> pa.Array:
    """One value a row of a stacked array `(n, ...)`, without a step for each."""
    plain = np.ascontiguousarray(storable(stack))
    header = Header(plain.dtype, plain.shape[1:])
    prefix = np.frombuffer(header.encoded, np.uint8)
    rows = np.empty((len(plain), header.width), np.uint8)
    rows[:, : len(prefix)] = prefix
    rows[:, len(prefix) :] = plain.reshape(-1).view(np.uint8).reshape(len(plain), header.width - len(prefix))
    wide = rows.nbytes > _MAX_BINARY
    offsets = np.arange(len(rows) + 1, dtype=np.int64 if wide else np.int32) * header.width
    kind = pa.large_binary() if wide else pa.binary()
    return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(offsets), pa.py_buffer(rows)])


def decode_stack(column: pa.Array) -> Array | None:
    """All values of a column without nulls as one array `(n, ...)`; None where types or shapes differ.

    Raises `CorruptObjectError` for a first row that is no array.
    """
    blobs = Blobs.of(column)
    header = read_header(blobs.row(0))
    sizes = blobs.stops - blobs.starts
    if int(sizes.min()) != header.width or int(sizes.max()) != header.width:
        return None
    rows, prefix = blobs.matrix(header.width), header.encoded
    if not (rows[:, : len(prefix)] == np.frombuffer(prefix, np.uint8)).all():
        return None
    elements = np.ascontiguousarray(rows[:, len(prefix) :])
    if elements.base is not None:
        elements = elements.copy()
    return elements.reshape(-1).view(header.dtype).reshape(len(rows), *header.shape)


def read_header(data: memoryview) -> Header:
    """The header of one value. Raises `CorruptObjectError` where it does not fit the value."""
    start = bytes(data[:_FIXED])
    dimensions = int.from_bytes(start[12:], "little")
    if not start.startswith(_MARK) or len(start) < _FIXED or dimensions > _MOST_DIMENSIONS:
        raise CorruptObjectError("These bytes are no tensor")
    if not _TYPE.match(start[4:12]):
        raise CorruptObjectError(f"A tensor has elements of the unknown type {start[4:12]!r}")
    extents = bytes(data[_FIXED : _FIXED + 8 * dimensions])
    if len(extents) < 8 * dimensions:
        raise CorruptObjectError("A tensor ends within its header")
    try:
        dtype = np.dtype(start[4:12].rstrip(b"\0").decode())
    except TypeError as error:  # a time in an unknown unit
        raise CorruptObjectError(f"A tensor has elements of the unknown type {start[4:12]!r}") from error
    header = Header(dtype, tuple(map(int, np.frombuffer(extents, "<u8"))))
    if header.width != len(data):
        raise CorruptObjectError(f"A tensor takes {len(data)} bytes, but its header means {header.width}")
    return header
