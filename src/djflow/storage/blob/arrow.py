"""Blobs as Arrow arrays, where their values have an Arrow form."""

from typing import Any, Final

import numpy as np
import pyarrow as pa

from djflow.storage.blob.columns import decode_column

_SCALARS: Final[dict[type, pa.DataType]] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
}


def arrow_values(column: pa.Array) -> pa.Array | None:
    """The values of a column of blobs as an Arrow array, or None where they have no common Arrow type.

    Vectors of one length become fixed-size lists, arrays of one shape become tensors, vectors of different
    lengths become lists, and plain numbers, texts and booleans of one type become a primitive array.
    Nulls stay null.

    >>> from djflow.storage.blob import encode_column
    >>> arrow_values(encode_column([1.5, None])).type
    DataType(double)
    >>> arrow_values(encode_column(np.zeros((2, 3)))).type
    FixedSizeListType(fixed_size_list<item: double>[3])
    """
    present = column.drop_null()
    if not len(present):
        return None
    values = decode_column(present)
    array = _stack(values) if isinstance(values, np.ndarray) else _list(values)
    if array is None or not column.null_count:
        return array
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return array.take(pa.array(np.cumsum(valid) - 1, mask=~valid))


def _stack(stack: np.ndarray[Any, Any]) -> pa.Array | None:
    if stack.dtype.kind == "c" or (stack.dtype.kind == "M" and _element_type(stack.dtype) is None):
        return None
    if stack.ndim == 1:
        return pa.array(stack)
    if stack.ndim == 2:  # noqa: PLR2004 - one vector a row
        return pa.FixedSizeListArray.from_arrays(pa.array(stack.reshape(-1)), stack.shape[1])
    if stack.dtype.kind in "bM":  # tensors hold numbers only
        return None
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(stack))


def _list(values: list[Any]) -> pa.Array | None:
    first = values[0]
    if any(type(value) is not type(first) for value in values):
        return None
    if isinstance(first, np.ndarray):
        return _vectors(values)
    return _primitive(values, type(first))


def _primitive(values: list[Any], kind: type) -> pa.Array | None:
    if issubclass(kind, np.generic):
        return _stack(np.array(values)) if kind not in (np.void, np.object_) else None
    if kind not in _SCALARS:
        return None
    try:
        return pa.array(values, _SCALARS[kind])
    except OverflowError:
        return None


def _vectors(values: list[np.ndarray[Any, Any]]) -> pa.Array | None:
    dtype = values[0].dtype
    item = _element_type(dtype)
    if item is None or any(value.ndim != 1 or value.dtype != dtype for value in values):
        return None
    offsets = np.concatenate([[0], np.cumsum([len(value) for value in values])])
    flat = pa.array(np.concatenate(values), item)
    if offsets[-1] < 2**31:
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)


def _element_type(dtype: np.dtype[Any]) -> pa.DataType | None:
    try:
        return pa.from_numpy_dtype(dtype) if dtype.kind in "biufM" else None
    except pa.ArrowNotImplementedError:
        return None
