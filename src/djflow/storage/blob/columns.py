"""Whole columns of blobs: arrays of one type and shape are handled together, not row by row."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from djflow.errors import CorruptObjectError
from djflow.storage.blob import layout
from djflow.storage.blob.compression import (
    MARK,
    PREFIX_SIZE,
    THRESHOLD,
    expand,
    inflate,
    is_plausible,
    saves_a_third,
)
from djflow.storage.blob.layout import ArrayHeader, body_rows, rows_from_body, storable, u64
from djflow.storage.blob.pack import pack
from djflow.storage.blob.unpack import Cursor, numeric_header, read_header, unpack
from djflow.storage.parallel import map_threads, processors, split_range

_ROWS_PER_THREAD: Final = 64
_BYTES_PER_THREAD: Final = 1 << 21
_SAMPLED_ROWS: Final = 8
_MAX_BINARY: Final = 2**31 - 1  # bytes in an array with 32-bit offsets


def encode_column(values: Sequence[Any] | np.ndarray[Any, Any]) -> pa.Array:
    """A binary array with one blob a value; None stays null.

    A stacked array of shape `(n, ...)`, or a sequence of arrays of one type and shape, is encoded at once.
    Rows are compressed as `pack` would, where a few sampled rows promise that it saves a third.
    The result has 64-bit offsets if it takes 2 GiB or more.

    Raises `TypeError` or `ValueError` as `pack` does.

    >>> encode_column(np.zeros((2, 3))).type, len(encode_column(np.zeros((2, 3)))[0].as_py())
    (DataType(binary), 53)
    """
    stack = _stacked(values)
    if stack is None:
        return pa.array([None if value is None else pack(value) for value in values], pa.binary())
    return _encode_stack(stack)


def decode_column(column: pa.Array) -> np.ndarray[Any, Any] | list[Any]:
    """The values of a binary array of blobs.

    One stacked array `(n, ...)` where all rows are arrays of numbers of one type and shape; else a list, in
    which None stands for a null.

    Raises `CorruptObjectError`, with the row, for anything that is not a well-formed blob.

    >>> decode_column(encode_column(np.arange(6).reshape(2, 3)))
    array([[0, 1, 2],
           [3, 4, 5]])
    >>> decode_column(encode_column(["a", None]))
    ['a', None]
    """
    blobs = Blobs.of(column)
    if column.null_count == 0 and len(column):
        stack = _decode_stack(blobs)
        if stack is not None:
            return stack
    return _decode_rows(column, blobs)


@dataclass(frozen=True, slots=True)
class Blobs:
    """The buffers of a binary array: row i is `data[starts[i] : stops[i]]`."""

    data: np.ndarray[Any, np.dtype[np.uint8]]
    starts: np.ndarray[Any, np.dtype[np.int64]]
    stops: np.ndarray[Any, np.dtype[np.int64]]

    @classmethod
    def of(cls, column: pa.Array) -> "Blobs":
        """The buffers of `column`, shared with it where its offsets have 32 or 64 bits."""
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        wide = pa.types.is_large_binary(column.type)
        if not wide and not pa.types.is_binary(column.type):
            column = column.cast(pa.large_binary())
            wide = True
        _, offsets, data = column.buffers()
        edges = np.zeros(1, np.int64)
        if offsets is not None and len(column):
            kind = np.int64 if wide else np.int32
            edges = np.frombuffer(offsets, kind)[column.offset :][: len(column) + 1].astype(np.int64)
        plain = np.frombuffer(data, np.uint8) if data is not None and data.size else np.empty(0, np.uint8)
        return cls(plain, edges[:-1], edges[1:])

    def row(self, i: int) -> memoryview:
        """The bytes of one row."""
        return self.data.data[self.starts[i] : self.stops[i]]

    def matrix(self, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """All rows, if each has `width` bytes; shares memory."""
        return self.data[self.starts[0] : self.stops[-1]].reshape(len(self.starts), width)

    def heads(self, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """The first `width` bytes of each row, which must have them."""
        heads: np.ndarray[Any, np.dtype[np.uint8]] = self.data[self.starts[:, np.newaxis] + np.arange(width)]
        return heads


def _decode_rows(column: pa.Array, blobs: Blobs) -> list[Any]:
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    values: list[Any] = []
    for i, present in enumerate(valid):
        try:
            values.append(unpack(blobs.row(i)) if present else None)
        except CorruptObjectError as error:
            error.add_note(f"It is in row {i} of the column.")
            raise
    return values


def _decode_stack(blobs: Blobs) -> np.ndarray[Any, Any] | None:
    first = expand(blobs.row(0))
    header = _array_header(memoryview(first))
    if header is None:
        return None
    prefix = header.protocol + header.encoded
    width = len(prefix) + header.nbytes
    sizes = blobs.stops - blobs.starts
    if int(sizes.min()) == width == int(sizes.max()):
        body = _plain_body(blobs.matrix(width), prefix)
    elif _all_expand_to(blobs, sizes, width):
        body = _expanded_body(blobs, prefix, width)
    else:
        return None
    return None if body is None else rows_from_body(body, header)


def _array_header(blob: memoryview) -> ArrayHeader | None:
    """The header of a blob that holds one array of numbers and nothing else."""
    start = layout.HEADER_SIZE + 1
    if bytes(blob[:start]) not in (layout.NUMERIC + layout.ARRAY, layout.GENERAL + layout.ARRAY):
        return None
    cursor = Cursor(blob, start, len(blob))
    header = numeric_header(*read_header(cursor))
    # Both protocols are legal for an array; only the one that we'd write is worth the fast way.
    usual = header is not None and bytes(blob[: layout.HEADER_SIZE]) == header.protocol
    return header if usual and header is not None and cursor.remaining == header.nbytes > 0 else None


def _plain_body(rows: np.ndarray[Any, Any], prefix: bytes) -> np.ndarray[Any, Any] | None:
    same = (rows[:, : len(prefix)] == np.frombuffer(prefix, np.uint8)).all()
    return _copied(rows[:, len(prefix) :]) if same else None


def _copied(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A contiguous copy; one processor alone cannot use all of the memory's bandwidth."""
    copy = np.empty(rows.shape, np.uint8)

    def fill(part: range) -> None:
        copy[part.start : part.stop] = rows[part.start : part.stop]

    map_threads(fill, split_range(len(rows), _BYTES_PER_THREAD // rows.shape[1] + 1), processors())
    return copy


def _all_expand_to(blobs: Blobs, sizes: np.ndarray[Any, Any], width: int) -> bool:
    """Whether every row either has `width` bytes or is compressed and says that it had."""
    compressed = sizes != width
    if int(sizes[compressed].min()) <= PREFIX_SIZE or not is_plausible(int(sizes[compressed].min()), width):
        return False
    expected = np.frombuffer(MARK + u64(width), np.uint8)
    some = Blobs(blobs.data, blobs.starts[compressed], blobs.stops[compressed])
    return bool((some.heads(PREFIX_SIZE) == expected).all())


def _expanded_body(blobs: Blobs, prefix: bytes, width: int) -> np.ndarray[Any, Any] | None:
    body = np.empty((len(blobs.starts), width - len(prefix)), np.uint8)
    ranges = split_range(len(body), _ROWS_PER_THREAD)
    alike = map_threads(lambda rows: _expand_into(body, rows, blobs, prefix, width), ranges, processors())
    return body if all(alike) else None


def _expand_into(body: np.ndarray[Any, Any], rows: range, blobs: Blobs, prefix: bytes, width: int) -> bool:
    """Fill `rows` of `body`; false if a row has another header."""
    data, skip = blobs.data.data, len(prefix)
    edges = zip(
        rows,
        blobs.starts[rows.start : rows.stop].tolist(),
        blobs.stops[rows.start : rows.stop].tolist(),
        strict=True,
    )
    for i, start, stop in edges:
        if stop - start == width:
            plain = data[start:stop]
        else:
            plain = memoryview(inflate(data[start + PREFIX_SIZE : stop], width))
        if plain[:skip] != prefix:
            return False
        body[i] = plain[skip:]
    return True


def _stacked(values: Sequence[Any] | np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """The values as one array of numbers, if they are arrays of one type and shape."""
    if isinstance(values, np.ndarray):
        return values if _is_plain(values) and values.ndim else None
    first = values[0] if len(values) else None
    if not isinstance(first, np.ndarray) or not _is_plain(first):
        return None
    for value in values:
        if type(value) is not type(first) or value.dtype != first.dtype or value.shape != first.shape:
            return None
    return np.stack(values)


def _is_plain(values: np.ndarray[Any, Any]) -> bool:
    return type(values) in (np.ndarray, np.memmap) and storable(values.dtype) is not None


def _encode_stack(stack: np.ndarray[Any, Any]) -> pa.Array:
    dtype = storable(stack.dtype)
    if dtype is None or not len(stack):
        return pa.array([], pa.binary())
    header = ArrayHeader(dtype, stack.shape[1:])
    prefix = header.protocol + header.encoded
    rows = np.empty((len(stack), len(prefix) + header.nbytes), np.uint8)
    rows[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    rows[:, len(prefix) :] = body_rows(stack, header)
    return pa.array(_compressed(rows), pa.binary()) if _worth_compressing(rows) else _as_binary(rows)


def _worth_compressing(rows: np.ndarray[Any, Any]) -> bool:
    width = rows.shape[1]
    if width <= THRESHOLD:
        return False
    sample = rows[:: -(-len(rows) // _SAMPLED_ROWS)]
    return saves_a_third(sum(len(zlib.compress(row.data)) for row in sample), width * len(sample))


def _compressed(rows: np.ndarray[Any, Any]) -> list[bytes]:
    mark = MARK + u64(rows.shape[1])

    def compress(row: np.ndarray[Any, Any]) -> bytes:
        stream = zlib.compress(row.data)
        return mark + stream if saves_a_third(len(stream), len(row)) else row.tobytes()

    return map_threads(compress, list(rows), processors())


def _as_binary(rows: np.ndarray[Any, Any]) -> pa.Array:
    count, width = rows.shape
    wide = rows.nbytes > _MAX_BINARY
    offsets = np.arange(count + 1, dtype=np.int64 if wide else np.int32) * width
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(rows)]
    return pa.Array.from_buffers(pa.large_binary() if wide else pa.binary(), count, buffers)
