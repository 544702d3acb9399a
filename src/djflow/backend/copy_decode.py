"""Rows in the binary form of PostgreSQL's COPY to Arrow, a column at a time: no Python object per value."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Places = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

# A value that is null has no bytes: reading it all the same must not leave the buffer.
PADDING: Final = bytes(16)
_DAYS: Final = 10_957  # from 1970 to 2000, where PostgreSQL begins to count
_MICROSECONDS: Final = _DAYS * 86_400_000_000
# Arrays of more elements, and fewer arrays, are walked through one by one.
_LONG_ARRAY: Final = 64
_SQL_TYPES: Final = {
    pa.bool_(): "boolean",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.binary(): "bytea",
    pa.date32(): "date",
    pa.time64("us"): "time without time zone",
    pa.timestamp("us"): "timestamp without time zone",
    pa.timestamp("us", tz="UTC"): "timestamp with time zone",
}
_NUMBERS: Final = {
    pa.int16(): ">i2",
    pa.int32(): ">i4",
    pa.int64(): ">i8",
    pa.float32(): ">f4",
    pa.float64(): ">f8",
    pa.time64("us"): ">i8",
    pa.date32(): ">i4",
}


def sql_type(type_: pa.DataType) -> str:
    """The type of PostgreSQL whose binary form is read as an Arrow type.

    >>> sql_type(pa.list_(pa.float32()))
    'real[]'
    """
    return f"{sql_type(type_.value_type)}[]" if pa.types.is_list(type_) else _SQL_TYPES[type_]


def decode(payload: bytearray, lengths: Sequence[int], schema: pa.Schema) -> pa.RecordBatch:
    r"""The rows of a schema that a payload holds one behind the other, each of a known length in bytes.

    `payload` has neither the header nor the trailer of the format, but `PADDING` at its end.
    Raises `ValueError` where the rows are not of the schema.

    >>> row = bytes([0, 2]) + bytes([0, 0, 0, 2, 0, 7]) + bytes([255] * 4)
    >>> schema = pa.schema([("n", pa.int16()), ("t", pa.string())])
    >>> decode(bytearray(row * 2 + PADDING), [12, 12], schema).to_pydict()
    {'n': [7, 7], 't': [None, None]}
    """
    ends = np.cumsum(np.fromiter(lengths, np.int64, len(lengths)))
    places = np.concatenate([np.zeros(1, np.int64), ends[:-1]]) if len(ends) else ends
    raw = _Raw(payload)
    if not (raw.read(">i2", places) == len(schema)).all():
        raise ValueError("the rows do not have the columns that were asked for")
    places = places + 2
    columns = []
    for field in schema:
        sizes = raw.read(">i4", places).astype(np.int64)
        columns.append(raw.values(field.type, places + 4, sizes))
        places = places + 4 + np.maximum(sizes, 0)
    if not np.array_equal(places, ends):
        raise ValueError("the rows do not end where the server's messages do")
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class _Raw:
    """The bytes of a payload, and what they mean as values that stand at any places."""

    def __init__(self, payload: bytearray) -> None:
        self._bytes: Bytes = np.frombuffer(payload, np.uint8)
        self._buffer = pa.py_buffer(payload)

    def read(self, form: str, places: Places) -> npt.NDArray[np.generic]:
        """The numbers that begin at some places."""
        size = np.dtype(form).itemsize
        count = max(len(self._bytes) - size + 1, 0)
        # One number begins at each byte; most of them are never looked at.
        return np.ndarray((count,), form, self._bytes, strides=(1,))[places]

    def values(self, type_: pa.DataType, places: Places, sizes: Places) -> pa.Array:
        """Values of a type, with their sizes in bytes; those of a negative size are null."""
        nulls = sizes < 0 if len(sizes) and sizes.min() < 0 else None
        if pa.types.is_list(type_):
            return self._lists(type_, places, nulls)
        if pa.types.is_string(type_) or pa.types.is_binary(type_):
            return self._texts(type_, places, sizes, nulls)
        if pa.types.is_boolean(type_):
            return pa.array(self._bytes[places] != 0, mask=nulls)
        return self._numbers(type_, places, nulls)

    def _numbers(self, type_: pa.DataType, places: Places, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
        if pa.types.is_timestamp(type_):
            found = self.read(">i8", places).astype(np.int64) + _MICROSECONDS
            return pa.array(found, pa.int64(), mask=nulls).view(type_)
        form = np.dtype(_NUMBERS[type_])
        found = self.read(form.str, places).astype(form.newbyteorder("="))
        if pa.types.is_date(type_):
            found = found + np.int32(_DAYS)
        return pa.array(found, mask=nulls, from_pandas=False).view(type_)

    def _texts(
        self, type_: pa.DataType, places: Places, sizes: Places, nulls: npt.NDArray[np.bool_] | None
    ) -> pa.Array:
        # The payload is values with other bytes between them: of those, every second one is taken.
        edges = np.empty(2 * len(places) + 1, np.int32)
        edges[0:-1:2] = places
        edges[1::2] = places + np.maximum(sizes, 0)
        edges[-1] = edges[-2] if len(places) else 0
        pieces = pa.Array.from_buffers(type_, 2 * len(places), [None, pa.py_buffer(edges), self._buffer])
        return pieces.take(pa.array(np.arange(0, 2 * len(places), 2), mask=nulls))

    def _lists(self, type_: pa.DataType, places: Places, nulls: npt.NDArray[np.bool_] | None) -> pa.Array:
        counts, first = self._extents(places, nulls)
        elements, sizes = self._elements(first, counts)
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int32)
        values = self.values(type_.value_type, elements + 4, sizes)
        mask = None if nulls is None else pa.array(nulls)
        return pa.ListArray.from_arrays(pa.array(offsets), values, type=type_, mask=mask)

    def _extents(self, places: Places, nulls: npt.NDArray[np.bool_] | None) -> tuple[Places, Places]:
        """How many elements each array has, in all its dimensions, and where the first one's size stands."""
        dimensions = self.read(">i4", places).astype(np.int64)
        if nulls is not None:
            dimensions[nulls] = 0
        counts = np.minimum(dimensions, 1)
        for depth in range(int(dimensions.max(initial=0))):
            deep = dimensions > depth
            counts[deep] *= self.read(">i4", places[deep] + 12 + 8 * depth).astype(np.int64)
        return counts, places + 12 + 8 * dimensions

    def _elements(self, first: Places, counts: Places) -> tuple[Places, Places]:
        """Where the elements of all arrays begin, each with its size in front, and these sizes."""
        begin = np.cumsum(counts) - counts
        within = np.arange(int(counts.sum()), dtype=np.int64) - np.repeat(begin, counts)
        if not len(within):
            return within, within
        # If all are as long as the first, as numbers without nulls are, each place is known at once.
        step = 4 + max(int(self.read(">i4", first[counts > 0][:1])[0]), 0)
        places = np.repeat(first, counts) + within * step
        if int(places.max()) <= len(self._bytes) - 4:
            sizes = self.read(">i4", places).astype(np.int64)
            if (sizes == step - 4).all():
                return places, sizes
        walk = self._walk_each if counts.max() > _LONG_ARRAY * len(counts) else self._walk_together
        places = walk(first, counts, begin)
        return places, self.read(">i4", places).astype(np.int64)

    def _walk_together(self, first: Places, counts: Places, begin: Places) -> Places:
        """The places of elements of any size: the first ones of all arrays, then the second ones, ..."""
        found = np.empty(int(counts.sum()), np.int64)
        open_, at = np.flatnonzero(counts), first[counts > 0]
        number = 0
        while len(open_):
            found[begin[open_] + number] = at
            number += 1
            left = counts[open_] > number
            at = (at + 4 + np.maximum(self.read(">i4", at), 0))[left]
            open_ = open_[left]
        return found

    def _walk_each(self, first: Places, counts: Places, begin: Places) -> Places:
        """The same for a few long arrays: one after the other."""
        found = np.empty(int(counts.sum()), np.int64)
        payload = memoryview(self._buffer)
        for start, count, place in zip(first.tolist(), counts.tolist(), begin.tolist(), strict=True):
            at, places = start, []
            for _ in range(count):
                places.append(at)
                at += 4 + max(int.from_bytes(payload[at : at + 4], "big", signed=True), 0)
            found[place : place + count] = places
        return found
