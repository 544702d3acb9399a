"""Floating-point numbers."""

import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import can_be_number, cast, require, wrong_kind


def to_float(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Floats from any number, from booleans, and from text such as `2.5`, `1e3` or `nan`.

    A number is rounded to the nearest float; NaN and infinities stay what they are.
    """
    types = pa.types
    if array.type == target:
        return array
    if types.is_string(array.type):
        array = cast(pc.utf8_trim_whitespace(array), pa.float64(), "not a number", can_be_number)
    elif types.is_boolean(array.type):
        return array.cast(target)
    elif not (types.is_integer(array.type) or types.is_floating(array.type) or types.is_decimal(array.type)):
        raise wrong_kind(array, "a number")
    floats = array.cast(target, safe=False)
    if types.is_floating(array.type) and array.type.bit_width > target.bit_width:
        fits = pc.or_(pc.invert(pc.is_inf(floats)), pc.is_inf(array))
        require(fits, "too large for a 32-bit float")
    return floats
