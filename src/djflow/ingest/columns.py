"""Any column as a plain Arrow array, or as Python values."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.chunk import Column
from djflow.ingest.kernels.refusal import CAST_ERRORS, Refusal

# What pandas puts where a value is missing; told by name, so that pandas need not be imported.
_MISSING: Final = frozenset({"NoneType", "NaTType", "NAType"})
# numpy's calendar units that Arrow lacks, and the Arrow unit that holds them exactly.
_FINER_UNIT: Final = {
    "M": {"Y": "D", "M": "D", "W": "D", "h": "s", "m": "s"},
    "m": {"W": "s", "D": "s", "h": "s", "m": "s"},
}


def plain_array(column: "pa.Array | pa.ChunkedArray | np.ndarray[Any, Any]") -> pa.Array:
    """An Arrow or numpy column as one array, without extensions, dictionaries, views or large offsets.

    >>> plain_array(pa.array(["a", "b"]).dictionary_encode()).type
    DataType(string)
    """
    if isinstance(column, np.ndarray):
        column = pa.array(_known_to_arrow(column))
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    types = pa.types
    if types.is_dictionary(column.type):
        column = plain_array(column.dictionary).take(column.indices)
    elif types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    target = _plain_type(column.type)
    return column if target == column.type else column.cast(target)


def _plain_type(type_: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_large_string(type_) or types.is_string_view(type_):
        return pa.string()
    if types.is_large_binary(type_) or types.is_binary_view(type_):
        return pa.binary()
    if types.is_float16(type_):
        return pa.float32()
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return pa.list_(_plain_type(type_.value_type))
    return type_


def _known_to_arrow(array: "np.ndarray[Any, Any]") -> Any:
    """The array, changed where Arrow does not know the layout."""
    if array.ndim > 1:
        return list(array)
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    if array.dtype.kind in "mM":
        unit = np.datetime_data(array.dtype)[0]
        finer = _FINER_UNIT[array.dtype.kind].get(unit, unit)
        return array.astype(f"{array.dtype.kind}8[{finer}]")
    return array


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
        pieces.append(kernel(_infer([values[row] for row in rows], kind)))
        places[rows] = np.arange(filled, filled + len(rows))
        filled += len(rows)
    return pa.concat_arrays([piece.cast(target) for piece in pieces]).take(pa.array(places, mask=places < 0))


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
