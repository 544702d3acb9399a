"""Any typed column as an Arrow array of a type that the kernels know."""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
        return pa.list_(type_.value_type)
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
