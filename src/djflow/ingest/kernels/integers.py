"""Whole numbers."""

import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import cast, wrong_kind


def to_integer(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Integers from integers, booleans, floats and decimals without a fraction, and digits.

    >>> to_integer(pa.array([1.0, None]), pa.int16()).to_pylist()
    [1, None]
    """
    types = pa.types
    if types.is_string(array.type):
        array = pc.utf8_trim_whitespace(array)
    elif not (types.is_integer(array.type) or _can_be_whole(array.type)):
        raise wrong_kind(array, "an integer")
    limit = 2 ** (target.bit_width - 1)
    return cast(array, target, f"not a whole number from {-limit} to {limit - 1}")


def _can_be_whole(type_: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_floating(type_) or types.is_decimal(type_) or types.is_boolean(type_))
