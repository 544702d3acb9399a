"""`<tensor>`: small arrays of numbers in the table, encoded and decoded a column at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from djflow.errors import CorruptObjectError, DefinitionError
from djflow.storage.chunks import check_mask
from djflow.storage.codec import Codec, ColumnContext, Values
from djflow.storage.codecs.tensor_format import (
    KINDS,
    Array,
    decode_one,
    decode_stack,
    encode_one,
    encode_stack,
    storable,
)


class TensorCodec(Codec):
    """Arrays of numbers, booleans or times in the row, uncompressed.

    Columns of arrays of one type and shape become fixed-shape tensors in Arrow and back without a step for
    each row.

    >>> codec = TensorCodec()
    >>> codec.decode(codec.encode(np.eye(2))).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    name = "tensor"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        """`bytes`. Raises `DefinitionError` for a type with `@`."""
        if is_store:
            raise DefinitionError(
                "<tensor> keeps its values in the table.",
                hint="Write <npy@> or <zarr@> for arrays in a store.",
            )
        return "bytes"

    def validate(self, value: Any) -> None:
        """Only arrays of numbers, booleans or times."""
        if not hasattr(value, "__array__"):
            raise TypeError(
                f"<tensor> stores an array, not {type(value).__name__}; pass numpy.asarray(value)"
            )
        check_mask(value)
        storable(np.asarray(value)[:0] if getattr(value, "ndim", 0) else np.asarray(value))

    def encode(
        self, value: Any, *, key: Mapping[str, Any] | None = None, store_name: str | None = None
    ) -> bytes:
        """The bytes of one array."""
        del key, store_name
        return encode_one(np.asarray(value))

    def decode(self, stored: Any, *, key: Mapping[str, Any] | None = None) -> Array:
        """The array of one value."""
        del key
        return decode_one(stored)

    def to_spark(self, decoded: Array, *, key: Mapping[str, Any] | None = None) -> Any:
        """The array in lists, as `dj.SparkAdapter` asks for; times to the microsecond.

        Raises `TypeError` for complex numbers and durations, which Spark does not have.
        """
        del key
        if decoded.dtype.kind in "cm":
            raise TypeError(f"Spark has no type for values of {decoded.dtype}")
        return (decoded.astype("M8[us]") if decoded.dtype.kind == "M" else decoded).tolist()

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Encode a stacked array, a tensor array of Arrow or a sequence of arrays; None stays null."""
        stack = _stacked(values)
        if stack is not None:
            return encode_stack(stack)
        rows = values.to_numpy_ndarray() if isinstance(values, pa.FixedShapeTensorArray) else values
        return super().encode_column(rows, context)  # finds and names a row at fault

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """The arrays; those of one type and shape are views of one block of memory.

        Raises `CorruptObjectError`, with the row, for bytes that are no tensor.
        """
        stack = _stack_of(column)
        return list(stack) if stack is not None and stack.ndim > 1 else self._decode_rows(column, context)

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array | None:
        """A tensor array where all values have one type and shape, of which Arrow has tensors; else None."""
        del context
        present = column.drop_null()
        stack = _stack_of(present)
        array = None if stack is None else _as_arrow(stack)
        if array is None or not column.null_count:
            return array
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        return array.take(pa.array(np.cumsum(valid) - 1, mask=~valid))

    def _decode_rows(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        decoded: list[Any] = []
        for row, data in enumerate(column.to_pylist()):
            try:
                decoded.append(None if data is None else decode_one(data))
            except CorruptObjectError as error:
                error.add_note(f"It is in row {row} of column {context.attribute!r}.")
                raise
        return decoded


def _stacked(values: Any) -> Array | None:
    """The values as one array, if they are arrays of one type and shape, none of them missing."""
    if isinstance(values, pa.FixedShapeTensorArray):
        return None if values.null_count else values.to_numpy_ndarray()
    if isinstance(values, np.ndarray):
        return values if values.dtype.kind in KINDS and values.size and values.ndim else None
    first = values[0] if len(values) else None
    if type(first) is not np.ndarray or first.dtype.kind not in KINDS or not first.size:
        return None
    dtype, shape = first.dtype, first.shape
    alike = all(type(each) is np.ndarray and each.dtype == dtype and each.shape == shape for each in values)
    return np.stack(values) if alike else None


def _stack_of(column: pa.Array) -> Array | None:
    if not len(column) or column.null_count:
        return None
    try:
        return decode_stack(column)
    except CorruptObjectError:
        return None  # told with its row, by who reads row by row


def _as_arrow(stack: Array) -> pa.Array | None:
    if stack.ndim == 1:
        return None if stack.dtype.kind == "c" else pa.array(stack)
    if stack.dtype.kind not in "iuf" or not stack.size:
        return None
    return pa.FixedShapeTensorArray.from_numpy_ndarray(stack)
