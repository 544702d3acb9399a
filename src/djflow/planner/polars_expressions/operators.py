"""Binary operators of Polars."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from djflow.model.types import CoreType, StoredType
from djflow.planner import scalar as s
from djflow.planner.functions import FUNCTIONS
from djflow.planner.polars_expressions.kinds import (
    FLOATS,
    INTEGERS,
    SIGNED,
    STORED,
    Value,
    as_kind,
    common_kind,
    literal,
    narrowed,
    truth,
)
from djflow.planner.polars_expressions.serialised import UntranslatableError

_COMPARISONS: Final[dict[str, s.CompareOp]] = {
    "Eq": "=",
    "NotEq": "<>",
    "Lt": "<",
    "LtEq": "<=",
    "Gt": ">",
    "GtEq": ">=",
}
_ARITHMETIC: Final[dict[str, s.ArithmeticOp]] = {"Plus": "+", "Minus": "-", "Multiply": "*"}
# What differs between two literals and a literal beside rows.
_FOLDED: Final = frozenset({*_ARITHMETIC, "TrueDivide", "FloorDivide", "Modulus"})
_DIGITS: Final = 38


def binary(op: str, left: Value, right: Value) -> Value:
    """The value of an operator."""
    if op in _FOLDED and any(map(_is_folded, (left, right))):
        raise UntranslatableError("Polars computes literals by themselves first")
    if op in _COMPARISONS:
        return truth(compare(_COMPARISONS[op], left, right))
    return _OPERATORS[op](op, left, right)


def _is_folded(value: Value) -> bool:
    """Whether a value is computed, but not from rows."""
    return not isinstance(value.scalar, s.Constant) and not any(map(_reads_rows, s.walk(value.scalar)))


def _reads_rows(node: s.Scalar) -> bool:
    return isinstance(node, s.Column) or (isinstance(node, s.Call) and FUNCTIONS[node.function].is_aggregate)


def compare(op: s.CompareOp, left: Value, right: Value) -> s.Scalar:
    """A comparison as Polars makes it: numbers in the wider kind, text by code point."""
    first, second = _comparable(left, right)
    if "String" in (left.kind, right.kind) and op not in ("=", "<>"):
        first = bytewise(first)
    return s.Compare(op, first, second)


def bytewise(text: s.Scalar) -> s.Scalar:
    """Text that is ordered by code point, whatever the language of the database."""
    return s.Call("BYTEWISE", (text,), s.TEXT)


def _comparable(left: Value, right: Value) -> tuple[s.Scalar, s.Scalar]:
    kinds = {left.kind, right.kind}
    if kinds <= {*INTEGERS, "DynInt"} and kinds != {"DynInt"}:
        if "UInt32" in kinds and "DynInt" in kinds:
            common_kind(left, right)
            return as_kind(left, "UInt32"), as_kind(right, "UInt32")
        return left.scalar, right.scalar  # the server compares integers of different widths exactly
    if "Decimal" in kinds:
        return _decimals(left, right)
    if kinds == {"Date", "Datetime"}:
        first, second = (
            value.scalar if value.kind == "Datetime" else s.Cast(value.scalar, s.DATETIME)
            for value in (left, right)
        )
        return first, second
    kind = common_kind(left, right)
    return as_kind(left, kind), as_kind(right, kind)


def _decimals(left: Value, right: Value) -> tuple[s.Scalar, s.Scalar]:
    sizes = [_decimal_size(value) for value in (left, right)]
    if max(whole for whole, _ in sizes) + max(scale for _, scale in sizes) > _DIGITS:
        raise UntranslatableError("Polars has no decimal for both")
    first, second = (
        s.Constant(Decimal(value.constant), CoreType("decimal", (_DIGITS, 0)))
        if value.kind == "DynInt"
        else value.scalar
        for value in (left, right)
    )
    return first, second


def _decimal_size(value: Value) -> tuple[int, int]:
    """The digits before and after the point."""
    if value.kind == "DynInt":
        return len(str(abs(value.constant))), 0
    match value.scalar, s.type_of(value.scalar):
        case s.Constant(Decimal() as number), CoreType("decimal", (_, scale)):
            return max(number.adjusted() + 1, 1), scale
        case _, CoreType("decimal", (precision, scale)):
            return precision - scale, scale
        case _:
            raise UntranslatableError("a decimal beside another kind")


def same(left: Value, right: Value) -> s.Scalar:
    """Whether two values are equal or both absent; never unknown."""
    if right.kind == "Null":
        return s.IsNull(left.scalar)
    equal = s.IsTrue(compare("=", left, right))
    if isinstance(right.scalar, s.Constant):
        return equal
    return s.Or((equal, s.And((s.IsNull(left.scalar), s.IsNull(right.scalar)))))


def _same(op: str, left: Value, right: Value) -> Value:
    found = same(left, right)
    return truth(found if op == "EqValidity" else s.Not(found))


def _logic(op: str, left: Value, right: Value) -> Value:
    first, second = as_kind(left, "Boolean"), as_kind(right, "Boolean")
    match op:
        case "And":
            return truth(s.And((first, second)))
        case "Or":
            return truth(s.Or((first, second)))
        case _:
            return truth(s.Compare("<>", first, second))


def _arithmetic(op: str, left: Value, right: Value) -> Value:
    if left.kind == right.kind == "String" and op == "Plus":
        return Value(s.Call("||", (left.scalar, right.scalar), s.TEXT), "String")
    kind = common_kind(_number(left), _number(right))
    if kind in SIGNED:
        return narrowed(whole(_ARITHMETIC[op], _wide(left, kind), _wide(right, kind)), kind)
    if kind not in FLOATS:
        raise UntranslatableError(f"{op} of {kind}")
    return Value(_of_floats(_ARITHMETIC[op], as_kind(left, kind), as_kind(right, kind), STORED[kind]), kind)


def _of_floats(op: s.ArithmeticOp, left: s.Scalar, right: s.Scalar, stored: StoredType) -> s.Scalar:
    # A zero that Polars knows of beforehand leaves the other side as it is, with the sign of its zeros.
    if op != "*" and _is_zero(right):
        return left
    if op == "+" and _is_zero(left):
        return right
    if op == "-" and _is_zero(left):
        return s.Arithmetic("*", right, s.Constant(-1.0, stored), stored)
    return s.Arithmetic(op, left, right, stored)


def _is_zero(scalar: s.Scalar) -> bool:
    return isinstance(scalar, s.Constant) and scalar.value == 0


def whole(op: s.ArithmeticOp, left: s.Scalar, right: s.Scalar) -> s.Scalar:
    """Arithmetic in 64 bits; beyond them an error of the server."""
    return s.Arithmetic(op, left, right, s.INT64)


def _number(value: Value) -> Value:
    if value.kind in (*INTEGERS, *FLOATS, "DynInt", "DynFloat"):
        return value
    raise UntranslatableError(f"arithmetic of {value.kind}")


def _wide(value: Value, kind: str) -> s.Scalar:
    """A whole number that fits a kind, in 64 bits."""
    fitted = as_kind(value, kind)
    if isinstance(fitted, s.Constant):
        return s.Constant(fitted.value, s.INT64)
    return fitted if s.type_of(fitted) == s.INT64 else s.Cast(value.scalar, s.INT64)


def _floor(op: str, left: Value, right: Value) -> Value:
    kind = common_kind(_number(left), _number(right))
    if kind not in SIGNED:
        raise UntranslatableError(f"{op} of {kind}")
    function = "FLOOR_DIV" if op == "FloorDivide" else "FLOOR_MOD"
    return narrowed(s.Call(function, (_wide(left, kind), _wide(right, kind)), s.INT64), kind)


def _divide(_op: str, left: Value, right: Value) -> Value:
    common = common_kind(_number(left), _number(right))
    kind = common if common in FLOATS else "Float64"
    over, under = as_kind(left, kind), as_kind(right, kind)
    if isinstance(under, s.Constant) and not isinstance(over, s.Constant):
        return Value(s.Arithmetic("*", over, _reciprocal(under, kind), STORED[kind]), kind)
    # A quotient of 32-bit floats computed in 64 bits and rounded is the one computed in 32 bits.
    divided = _guarded(over, under, is_whole=right.kind in INTEGERS)
    return Value(s.Cast(divided, STORED[kind]) if kind == "Float32" else divided, kind)


def _reciprocal(divisor: s.Constant, kind: str) -> s.Constant:
    """What Polars multiplies by where it divides by a literal: 49 / 49 is a bit less than 1 there."""
    if divisor.value == 0:
        return s.Constant(math.copysign(math.inf, divisor.value), STORED[kind])
    return literal(1 / divisor.value, kind)


def _guarded(over: s.Scalar, under: s.Scalar, *, is_whole: bool) -> s.Scalar:
    """A quotient; by zero an infinity or NaN, of which multiplication by an infinity gives the right one."""
    divided = s.Arithmetic("/", over, under, s.FLOAT64)
    zero = s.Compare("=", under, s.Constant(0.0, s.FLOAT64))
    positive = (zero, _times(over, math.inf))
    if is_whole:
        return s.Case((positive,), divided, s.FLOAT64)
    minus = s.Like(s.Cast(under, s.TEXT), s.Constant("-%", s.TEXT))
    negative = (s.And((zero, minus)), _times(over, -math.inf))
    return s.Case((negative, positive), divided, s.FLOAT64)


def _times(over: s.Scalar, factor: float) -> s.Scalar:
    return s.Arithmetic("*", over, s.Constant(factor, s.FLOAT64), s.FLOAT64)


_OPERATORS: Final[Mapping[str, Callable[[str, Value, Value], Value]]] = {
    "EqValidity": _same,
    "NotEqValidity": _same,
    **dict.fromkeys(("And", "Or", "Xor"), _logic),
    **dict.fromkeys(_ARITHMETIC, _arithmetic),
    **dict.fromkeys(("FloorDivide", "Modulus"), _floor),
    "TrueDivide": _divide,
}
