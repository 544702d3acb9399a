"""Columns of Python values: through a kernel, or back to Python values for a codec."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from djflow.ingest.chunk import Column
from djflow.ingest.kernels.refusal import CAST_ERRORS, Refusal, of_elements
from djflow.ingest.plain import plain_array

# What pandas puts where a value is missing; told by name, so that pandas need not be imported.
_MISSING: Final = frozenset({"NoneType", "NaTType", "NAType"})


def map_python_values(
    values: list[Any], kernel: Callable[[pa.Array], pa.Array], target: pa.DataType
) -> pa.Array:
    """Apply a kernel to Python values, all values of one Python type at a time.

    Arrow's inference over mixed types would lose what differs, such as the time of day of a datetime
    among dates.
    """
    kinds = set(map(type, values))
    present = [kind for kind in kinds if kind.__name__ not in _MISSING]
    if not present:
        return pa.nulls(len(values), target)
    if len(present) == 1 and len(kinds - {type(None)}) == 1:
        return kernel(_infer(values, present[0]))
    return _scatter(values, present, kernel, target)


def _scatter(
    values: list[Any], kinds: Iterable[type], kernel: Callable[[pa.Array], pa.Array], target: pa.DataType
) -> pa.Array:
    pieces, places = [], np.full(len(values), -1)
    filled = 0
    for kind in kinds:
        rows = [row for row, value in enumerate(values) if type(value) is kind]
        pieces.append(_converted(values, rows, kind, kernel))
        places[rows] = np.arange(filled, filled + len(rows))
        filled += len(rows)
    return pa.concat_arrays([piece.cast(target) for piece in pieces]).take(pa.array(places, mask=places < 0))


def _converted(
    values: list[Any], rows: list[int], kind: type, kernel: Callable[[pa.Array], pa.Array]
) -> pa.Array:
    """Some of the values; a refusal names them among all."""
    try:
        return kernel(_infer([values[row] for row in rows], kind))
    except Refusal as refusal:
        if refusal.refused is None:
            raise
        refused = np.zeros(len(values), bool)
        refused[rows] = refusal.refused.to_numpy(zero_copy_only=False)
        raise Refusal(refusal.reason, pa.array(refused)) from refusal


def _infer(values: list[Any], kind: type) -> pa.Array:
    try:
        if issubclass(kind, np.generic):
            return plain_array(_numpy_scalars(values))
        return plain_array(pa.array(values))
    except (*CAST_ERRORS, TypeError) as error:
        return _infer_from_text(values, kind, error)


def _numpy_scalars(values: list[Any]) -> "np.ndarray[Any, Any] | pa.Array":
    if any(value is None for value in values):
        return pa.array(values)
    return np.array(values)


def _infer_from_text(values: list[Any], kind: type, error: Exception) -> pa.Array:
    """Numbers too wide for Arrow's inference, by their digits."""
    if kind.__name__ in ("int", "Decimal"):
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    if isinstance(error, UnicodeEncodeError):
        raise Refusal("not valid Unicode text") from error
    raise Refusal(f"a value of type {kind.__name__} has no place here") from error


def map_python_lists(values: list[Any], element: Callable[[Column], pa.Array]) -> pa.Array:
    """Lists of Python values or arrays, their elements converted all at once."""
    for value in values:
        if not (_is_missing(value) or isinstance(value, (list, tuple, np.ndarray))):
            raise Refusal(f"a value of type {type(value).__name__} is not a list")
    present = [value for value in values if not _is_missing(value)]
    lengths = [0 if _is_missing(value) else len(value) for value in values]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    mask = pa.array([_is_missing(value) for value in values], pa.bool_())
    elements = of_elements(element)(_joined(present))
    return pa.ListArray.from_arrays(pa.array(offsets), elements, mask=mask)


def _joined(lists: list[Any]) -> Column:
    if lists and all(isinstance(value, np.ndarray) and value.ndim == 1 for value in lists):
        return np.concatenate(lists)
    return [item for value in lists for item in value]


def is_all_null(column: Column) -> bool:
    """Whether a column of Arrow has no value: where others are refused for their type, it has none."""
    if isinstance(column, (list, np.ndarray)):
        return not len(column)
    return bool(column.null_count == len(column))


def _is_missing(value: object) -> bool:
    return type(value).__name__ in _MISSING


def codec_values(column: Column) -> "list[Any] | np.ndarray[Any, Any]":
    """The values of a column for a codec: one stacked array where they are arrays of one shape already.

    >>> codec_values(pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((2, 3, 4)))).shape
    (2, 3, 4)
    """
    if isinstance(column, np.ndarray) and column.ndim > 1:
        return column
    array = plain_array(column) if isinstance(column, pa.ChunkedArray) else column
    if not isinstance(array, pa.FixedShapeTensorArray):
        return python_values(array)
    stack = array.drop_null().to_numpy_ndarray() if array.null_count < len(array) else np.empty(0)
    if not array.null_count:
        return stack
    present = iter(stack)
    return [next(present) if valid else None for valid in array.is_valid().to_pylist()]


def python_values(column: Column) -> list[Any]:
    """The values of a column as Python objects; lists of numbers in Arrow become numpy arrays.

    >>> python_values(pa.array([[1, 2], None]))
    [array([1, 2]), None]
    """
    if isinstance(column, (list, np.ndarray)):
        return list(column)
    array = plain_array(column) if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if (
        pa.types.is_nested(array.type)
        and not pa.types.is_struct(array.type)
        and not pa.types.is_map(array.type)
    ):
        return [_to_numpy(scalar.values) if scalar.is_valid else None for scalar in array]
    values: list[Any] = array.to_pylist()
    return values


def _to_numpy(array: pa.Array) -> Any:
    if pa.types.is_fixed_size_list(array.type) and not array.null_count:
        inner = _to_numpy(array.flatten())
        return inner.reshape(len(array), array.type.list_size, *inner.shape[1:])
    if pa.types.is_primitive(array.type) and not array.null_count:
        return array.to_numpy(zero_copy_only=False)
    return array.to_pylist()
