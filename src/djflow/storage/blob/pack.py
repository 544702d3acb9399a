"""Writing one value in the blob format."""

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from struct import pack as pack_struct
from typing import Any, Final

import numpy as np

from djflow.storage.blob import layout
from djflow.storage.blob.compression import compress as compress_blob
from djflow.storage.blob.layout import ArrayHeader, body_rows, storable, u32, u64


def pack(value: Any, compress: bool = True) -> bytes:  # noqa: FBT001, FBT002 - the signature users know
    r"""Encode a value: None, numbers, text, bytes, dates, UUIDs, containers of these, and NumPy arrays.

    A blob over 1,000 bytes is compressed where that saves at least a third, unless `compress` is false.

    Raises `TypeError` for a value without an encoding and `ValueError` for containers nested over 100 deep.

    >>> pack("a")
    b'dj0\x00\x05\x01\x00\x00\x00\x00\x00\x00\x00a'
    """
    blob = _protocol(value) + encode(value)
    return compress_blob(blob) if compress else blob


def _protocol(value: Any) -> bytes:
    if not isinstance(value, np.ndarray) or value.dtype.names:
        return layout.GENERAL
    dtype = storable(value.dtype)
    return layout.GENERAL if dtype is None else ArrayHeader(dtype, value.shape).protocol


def encode(value: Any, depth: int = 0) -> bytes:
    """The bytes of one value, without a header. `depth` counts the containers around it."""
    if depth > layout.MAX_DEPTH:
        raise ValueError(f"containers are nested more than {layout.MAX_DEPTH} deep")
    for kind, writer in _WRITERS:
        if isinstance(value, kind):
            return writer(value, depth)
    raise TypeError(
        f"a blob cannot hold a {type(value).__module__}.{type(value).__qualname__}; "
        "convert it to numbers, text, arrays or containers of these, or write a codec for it"
    )


def _constant(value: object, _depth: int) -> bytes:
    return layout.NONE if value is None else layout.BOOLEAN + bytes([bool(value)])


def _integer(value: int, _depth: int) -> bytes:
    size = value.bit_length() // 8 + 1  # room for the sign
    if size > 0xFFFF:  # noqa: PLR2004 - what the size's two bytes hold
        raise ValueError(f"an integer of {size} bytes is longer than a blob can hold")
    return layout.INTEGER + size.to_bytes(2, "little") + value.to_bytes(size, "little", signed=True)


def _float(value: float, _depth: int) -> bytes:
    return layout.FLOAT + pack_struct("<d", value)


def _complex(value: complex, _depth: int) -> bytes:
    return layout.COMPLEX + pack_struct("<dd", value.real, value.imag)


def _string(value: str, _depth: int) -> bytes:
    text = value.encode()
    return layout.STRING + u64(len(text)) + text


def _bytes(value: bytes | bytearray | memoryview, _depth: int) -> bytes:
    data = bytes(value)
    return layout.BYTES + u64(len(data)) + data


def _decimal(value: Decimal, _depth: int) -> bytes:
    text = str(value).encode()
    return layout.DECIMAL + u64(len(text)) + text


def _uuid(value: uuid.UUID, _depth: int) -> bytes:
    return layout.UUID + value.bytes


def _moment(value: dt.date | dt.time, _depth: int) -> bytes:
    date, time = layout.NO_DATE, layout.NO_TIME
    if isinstance(value, dt.date):
        date = (value.year * 100 + value.month) * 100 + value.day
    if isinstance(value, dt.datetime | dt.time):
        if value.tzinfo is not None:
            raise ValueError(
                f"a blob cannot keep the time zone of {value}; convert it to UTC and drop the zone"
            )
        time = ((value.hour * 100 + value.minute) * 100 + value.second) * 10**6 + value.microsecond
    return layout.TIME + pack_struct("<iq", date, time)


def _items(mark: bytes) -> Callable[[Any, int], bytes]:
    def write(values: Any, depth: int) -> bytes:
        return mark + u64(len(values)) + _sized(values, depth)

    return write


def _sized(values: Iterable[Any], depth: int) -> bytes:
    encoded = (encode(value, depth + 1) for value in values)
    return b"".join(u64(len(item)) + item for item in encoded)


def _dict(value: Mapping[Any, Any], depth: int) -> bytes:
    return layout.DICT + u64(len(value)) + _sized((part for pair in value.items() for part in pair), depth)


def _array(value: np.ndarray[Any, Any], depth: int) -> bytes:
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError("a blob cannot keep the mask of an array; fill it with .filled(...)")
    value = np.asarray(value)  # a matrix has no third axis
    if value.dtype.names:
        return _records(value, depth)
    if value.dtype.kind in "OUS":
        return _objects(value, depth)
    dtype = storable(value.dtype)
    if dtype is None:
        raise TypeError(f"a blob cannot hold an array of {value.dtype}; convert it with .astype(...)")
    header = ArrayHeader(dtype, value.shape)
    return header.encoded + body_rows(value[np.newaxis], header).tobytes()


def _scalar(value: np.generic, depth: int) -> bytes:
    return _array(np.asarray(value), depth)


def _objects(value: np.ndarray[Any, Any], depth: int) -> bytes:
    shape = layout.ARRAY + u64(value.ndim, *value.shape) + u32(layout.OBJECTS) + u32(0)
    return shape + _sized(value.ravel(order="F").tolist(), depth)


def _records(value: np.ndarray[Any, Any], depth: int) -> bytes:
    names = value.dtype.names or ()
    columns = [np.asarray(value[name]) for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.shape != value.shape:
            raise TypeError(f"field {name!r} holds arrays; a blob's records hold scalars")
    text = b"".join(name.encode() + b"\0" for name in names)
    return layout.RECORDS + u32(len(names)) + text + b"".join(encode(column, depth + 1) for column in columns)


# Order matters: NumPy's strings and floats are also Python's, True is an integer, and text is a sequence.
_WRITERS: Final[tuple[tuple[Any, Callable[[Any, int], bytes]], ...]] = (
    (np.ndarray, _array),
    (bool | None, _constant),
    (str, _string),
    (bytes | bytearray | memoryview, _bytes),
    (np.generic, _scalar),
    (int, _integer),
    (float, _float),
    (complex, _complex),
    (list, _items(layout.LIST)),
    (Mapping, _dict),
    (AbstractSet, _items(layout.SET)),
    (Decimal, _decimal),
    (dt.date | dt.time, _moment),
    (uuid.UUID, _uuid),
    (Sequence, _items(layout.TUPLE)),
)
