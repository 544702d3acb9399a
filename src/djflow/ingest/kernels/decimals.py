"""Fixed-point numbers, rounded to their scale half away from zero, as PostgreSQL does."""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from djflow.ingest.kernels.refusal import CAST_ERRORS, Refusal, can_be_number, cast, require, wrong_kind

_WIDEST: Final = 76  # digits of decimal256
_INT64_DIGITS: Final = 20


def to_decimal(array: pa.Array, target: pa.DataType) -> pa.Array:
    """Decimals from decimals, integers, booleans, floats by their shortest exact text, and text.

    >>> to_decimal(pa.array([0.1, 2.0005]), pa.decimal128(8, 3)).to_pylist()
    [Decimal('0.100'), Decimal('2.001')]
    """
    if array.type == target:
        return array
    types = pa.types
    digits = target.precision - target.scale
    reason = f"not a number of {digits} digits before the point"
    if types.is_boolean(array.type):
        array = array.cast(pa.int8())
    if types.is_integer(array.type):
        return cast(
            array.cast(pa.decimal128(_INT64_DIGITS, 0)), target, reason, lambda _: _is_below(array, digits)
        )
    if types.is_decimal(array.type):
        return _rescale(array, target, reason)
    if types.is_floating(array.type):
        require(_is_below(array, digits), reason)
        return _rescale(
            _parse(_without_dust(array, target).cast(pa.string()), target, reason), target, reason
        )
    if types.is_string(array.type):
        return _rescale(_parse(pc.utf8_trim_whitespace(array), target, reason), target, reason)
    raise wrong_kind(array, "a number")


def to_numeric_text(array: pa.Array) -> pa.Array:
    """Text that PostgreSQL's unconstrained `numeric` takes, from any number or the text of one."""
    types = pa.types
    if types.is_string(array.type):
        cast(pc.utf8_trim_whitespace(array), pa.float64(), "not a number", can_be_number)
        return array
    if not (types.is_integer(array.type) or types.is_decimal(array.type) or types.is_floating(array.type)):
        raise wrong_kind(array, "a number")
    return array.cast(pa.string())


def _is_below(numbers: pa.Array, digits: int) -> pa.Array:
    """Whether numbers have no more digits before the point, but for a few that only rounding tells."""
    return pc.less_equal(pc.abs(numbers.cast(pa.float64(), safe=False)), 10.0**digits)


def _without_dust(floats: pa.Array, target: pa.DataType) -> pa.Array:
    """Floats with those that round to zero made zero: 1e-300 has more digits than any decimal."""
    tiny = pc.less(pc.abs(floats), pa.scalar(10.0 ** -(target.scale + 2), floats.type))
    return pc.if_else(tiny, pa.scalar(0.0, floats.type), floats)


def _parse(text: pa.Array, target: pa.DataType, reason: str) -> pa.Array:
    # One digit more than the target has before its point: rounding may carry into it, and is refused then.
    scale = _WIDEST - (target.precision - target.scale) - 1
    return cast(text, pa.decimal256(_WIDEST, scale), reason, can_be_number)


def _rescale(array: pa.Array, target: pa.DataType, reason: str) -> pa.Array:
    if array.type.scale <= target.scale:
        return cast(array, target, reason)
    try:
        rounded = pc.round(_widen(array), ndigits=target.scale, round_mode="half_towards_infinity")
    except CAST_ERRORS as error:
        raise Refusal(reason) from error
    return cast(rounded, target, reason)


def _widen(array: pa.Array) -> pa.Array:
    """Room for the digit that rounding may carry into."""
    return array.cast(pa.decimal256(min(array.type.precision + 1, _WIDEST), array.type.scale))
