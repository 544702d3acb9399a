"""A hash of rows that depends on what they are, not on how they lie: equal for equal contents.

Each row is encoded and hashed with SHA-256; the hashes are added up. A sum does not depend on the order of
rows and needs no sorting, so that any number of rows is hashed as they stream by, and the hash of two parts
follows from theirs. Nothing of it depends on a library's version, as hashes of frames do: the encoding is
written down in `docs/archives.md`, for those who want to check an archive without djflow.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from djflow.errors import InvalidArgumentError

_BINARY: Final = pa.large_binary()
_NOTHING: Final = pa.scalar(b"", _BINARY)
_Bytes = npt.NDArray[np.uint8]


@dataclass(slots=True)
class ContentHash:
    """The hash of the rows that were added so far.

    >>> one, other = ContentHash(), ContentHash()
    >>> for batch in pa.table({"n": [1, 2, 3]}).to_batches(max_chunksize=1):
    ...     one.add(batch)
    >>> other.add(pa.record_batch({"n": [3, 2, 1]}))
    >>> one.hexdigest() == other.hexdigest(), one.rows
    (True, 3)
    """

    rows: int = 0
    _names: frozenset[str] = frozenset()
    _sums: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(4, np.uint64))

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in rows, whose columns may come in any order."""
        if not batch.num_rows:
            return
        self._names = frozenset(batch.schema.names)
        self.rows += batch.num_rows
        columns = [batch.column(name) for name in sorted(self._names)]
        digests = b"".join([hashlib.sha256(row).digest() for row in _encoded(columns).to_pylist()])
        self._sums = self._sums + np.frombuffer(digests, "<u8").reshape(-1, 4).sum(axis=0, dtype=np.uint64)

    def __add__(self, other: "ContentHash") -> "ContentHash":
        """The hash of the rows of both."""
        return ContentHash(self.rows + other.rows, self._names | other._names, self._sums + other._sums)

    def hexdigest(self) -> str:
        """The hash, 64 hexadecimal digits."""
        head = json.dumps([sorted(self._names), self.rows]).encode()
        return hashlib.sha256(head + self._sums.astype("<u8").tobytes()).hexdigest()


def content_hash(batches: Iterable[pa.RecordBatch]) -> str:
    """The hash of all rows of some batches of one schema.

    Equal for rows that are equal in all columns, by name and Arrow type; the order of rows and of columns and
    the cut into batches don't matter. Raises `InvalidArgumentError` for a type that no column has.

    >>> table = pa.table({"n": [1, 2], "t": ["a", None]})
    >>> content_hash(table.to_batches()) == content_hash(table.select(["t", "n"]).to_batches())
    True
    """
    total = ContentHash()
    for batch in batches:
        total.add(batch)
    return total.hexdigest()


def _encoded(columns: list[pa.Array]) -> pa.Array:
    """One binary value a row.

    It has, of each column, whether there is a value, and the value or its length; then what has a length.
    """
    heads: list[_Bytes] = []
    tails: list[pa.Array] = []
    for column in columns:
        is_valid = column.is_valid().to_numpy(zero_copy_only=False)
        fixed = _fixed(column)
        if fixed is None:
            tail, counts = _varying(column)
            tails.append(tail)
            fixed = counts.astype("<i8").view(np.uint8).reshape(-1, 8)
        heads += [is_valid.astype(np.uint8).reshape(-1, 1), np.where(is_valid[:, None], fixed, np.uint8(0))]
    head = np.ascontiguousarray(np.concatenate(heads, axis=1))
    rows = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(head.shape[1]), len(head), [None, pa.py_buffer(head)]
    ).cast(_BINARY)
    return pc.binary_join_element_wise(rows, *tails, _NOTHING) if tails else rows


def _fixed(column: pa.Array) -> _Bytes | None:
    """The bytes of values that all have one length; None for others."""
    types, kind = pa.types, column.type
    if types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif types.is_floating(kind):
        numbers = column.fill_null(0).to_numpy(zero_copy_only=False)
        # There are many NaNs in memory, of which nobody knows which one was meant.
        column = pa.array(np.where(np.isnan(numbers), np.array(np.nan, numbers.dtype), numbers))
    elif not (types.is_primitive(kind) or types.is_decimal(kind)):
        return None
    width = column.type.bit_width // 8
    values = np.frombuffer(column.buffers()[1], np.uint8)
    return values[column.offset * width : (column.offset + len(column)) * width].reshape(-1, width)


def _varying(column: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """The bytes of texts, of binary values or of a list's elements, and how many there are."""
    types, kind = pa.types, column.type
    if types.is_list(kind) or types.is_large_list(kind):
        counts = _numbers(pc.list_value_length(column))
        elements = _encoded([column.flatten()])
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int64())
        return pc.binary_join(pa.LargeListArray.from_arrays(offsets, elements), _NOTHING), counts
    if not (types.is_string(kind) or types.is_large_string(kind) or _is_binary(kind)):
        raise InvalidArgumentError(
            f"A column of type {kind} has no hash. Cast it to a type that tables have."
        )
    values = column.cast(pa.large_binary()).fill_null(b"")
    return values, _numbers(pc.binary_length(values))


def _is_binary(kind: Any) -> bool:
    types = pa.types
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _numbers(lengths: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(lengths.fill_null(0).cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
