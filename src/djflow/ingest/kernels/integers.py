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
    return cast(
        array,
        target,
        f"not a whole number from {-limit} to {limit - 1}",
        lambda values: _can_be_integer(values, limit),
    )


def _can_be_whole(type_: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_floating(type_) or types.is_decimal(type_) or types.is_boolean(type_))


def _can_be_integer(values: pa.Array, limit: int) -> pa.Array:
    types = pa.types
    if types.is_string(values.type):
        return _can_be_digits(values, limit)
    if types.is_floating(values.type):
        within = pc.and_(pc.greater_equal(values, float(-limit)), pc.less(values, float(limit)))
        return pc.and_(within, pc.equal(pc.floor(values), values))
    if types.is_signed_integer(values.type):
        wide = values.cast(pa.int64())
        return pc.and_(pc.greater_equal(wide, -limit), pc.less_equal(wide, limit - 1))
    return pa.nulls(len(values), pa.bool_())


def _can_be_digits(text: pa.Array, limit: int) -> pa.Array:
    nothing = pa.scalar(None, pa.string())
    short = pc.if_else(pc.match_substring_regex(text, "^-?[0-9]{1,18}$"), text, nothing).cast(pa.int64())
    within = pc.and_(pc.greater_equal(short, -limit), pc.less_equal(short, limit - 1))
    return pc.and_kleene(pc.match_substring_regex(text, "^-?[0-9]"), within)
