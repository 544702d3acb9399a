"""Functions of Polars that look at one row."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from djflow.planner import scalar as s
from djflow.planner.polars_expressions.kinds import (
    FLOATS,
    INT32,
    INTEGERS,
    SIGNED,
    STORED,
    Value,
    as_kind,
    case,
    common_kind,
    narrowed,
    require,
    stored_type,
    truth,
)
from djflow.planner.polars_expressions.operators import compare, whole
from djflow.planner.polars_expressions.serialised import UntranslatableError

Options: TypeAlias = Mapping[str, Any]
Handler: TypeAlias = Callable[[Sequence[Value], Options], Value]

_SPECIAL: Final = (math.nan, math.inf, -math.inf)


def call(path: tuple[str, ...], arguments: Sequence[Value], options: Options) -> Value:
    """The value of a function."""
    handler = _HANDLERS.get(path)
    if handler is None:
        raise UntranslatableError(".".join(path))
    return handler(arguments, options)


# absence and truth


def _is_null(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    return truth(s.IsNull(value.scalar))


def _is_not_null(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    return truth(s.Not(s.IsNull(value.scalar)))


def _not(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    return truth(s.Not(require(value, "Boolean").scalar))


def _any_of(arguments: Sequence[Value], _options: Options) -> Value:
    return truth(s.Or(tuple(require(value, "Boolean").scalar for value in arguments)))


def _all_of(arguments: Sequence[Value], _options: Options) -> Value:
    return truth(s.And(tuple(require(value, "Boolean").scalar for value in arguments)))


def is_nan(scalar: s.Scalar) -> s.Scalar:
    """Whether a float is NaN, which equals itself on the server."""
    return s.Compare("=", s.Cast(scalar, s.FLOAT64), s.Constant(math.nan, s.FLOAT64))


def _among(values: tuple[float, ...]) -> Callable[[s.Scalar], s.Scalar]:
    return lambda scalar: s.InList(s.Cast(scalar, s.FLOAT64), values, s.FLOAT64)


def _of_float(condition: Callable[[s.Scalar], s.Scalar]) -> Handler:
    def handler(arguments: Sequence[Value], _options: Options) -> Value:
        (value,) = arguments
        return truth(condition(require(value, *FLOATS).scalar))

    return handler


def _is_between(arguments: Sequence[Value], options: Options) -> Value:
    value, low, high = arguments
    lower, upper = _BOUNDS[options["closed"]]
    return truth(s.And((compare(lower, value, low), compare(upper, value, high))))


_BOUNDS: Final[dict[str, tuple[s.CompareOp, s.CompareOp]]] = {
    "Both": (">=", "<="),
    "Left": (">=", "<"),
    "Right": (">", "<="),
    "None": (">", "<"),
}


def coalesced(arguments: Sequence[Value]) -> Value:
    """The first value that is present."""
    kind = functools.reduce(_joint, arguments).kind
    types = {stored_type(value) for value in arguments if value.kind == kind}
    if kind not in STORED and kind != "Decimal":
        raise UntranslatableError(kind)
    scalars = tuple(as_kind(value, kind) for value in arguments)
    return Value(s.Call("coalesce", scalars, next(iter(types)) if kind == "Decimal" else STORED[kind]), kind)


def _joint(left: Value, right: Value) -> Value:
    kind = common_kind(left, right)
    return left if kind == left.kind else Value(right.scalar, kind)


def _coalesce(arguments: Sequence[Value], _options: Options) -> Value:
    return coalesced(arguments)


# numbers


def _abs(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    if value.kind in SIGNED:
        return narrowed(s.Call("abs", (value.scalar,), s.INT64), value.kind)
    return _float_call("abs", value)


def _float_call(function: str, value: Value) -> Value:
    require(value, *FLOATS)
    return Value(s.Call(function, (value.scalar,), STORED[value.kind]), value.kind)


def _negate(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    if value.kind in SIGNED:
        wide = s.Cast(value.scalar, s.INT64)
        return narrowed(whole("-", s.Constant(0, s.INT64), wide), value.kind)
    stored = STORED[require(value, *FLOATS).kind]
    return Value(s.Arithmetic("*", value.scalar, s.Constant(-1.0, stored), stored), value.kind)


def _sign(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    if value.kind in SIGNED:
        wide = s.Call("sign", (value.scalar,), s.INT64)
        return Value(s.Cast(wide, STORED[value.kind]), value.kind)
    stored = STORED[require(value, *FLOATS).kind]
    zero, up, down = (s.Constant(number, stored) for number in (0.0, 1.0, -1.0))
    positive = s.And((s.Compare(">", value.scalar, zero), s.Not(is_nan(value.scalar))))
    # What is left is itself: NaN, null, and zero with its sign.
    return case(((positive, up), (s.Compare("<", value.scalar, zero), down)), value.scalar, value.kind)


def _whole(function: str) -> Handler:
    def handler(arguments: Sequence[Value], _options: Options) -> Value:
        (value,) = arguments
        return value if value.kind in INTEGERS else _float_call(function, value)

    return handler


def _round(arguments: Sequence[Value], options: Options) -> Value:
    (value,) = arguments
    if options["decimals"] != 0 or options["mode"] != "HalfToEven":
        raise UntranslatableError("rounding to digits goes through decimals on the server")
    return value if value.kind in INTEGERS else _float_call("RINT", value)


def _sqrt(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    kind = "Float32" if value.kind == "Float32" else "Float64"
    number = as_kind(value, kind)
    negative = s.Compare("<", number, s.Constant(0.0, STORED[kind]))
    root = s.Call("sqrt", (number,), s.FLOAT64)
    return case(((negative, s.Constant(math.nan, s.FLOAT64)),), root, kind)


def _clip(arguments: Sequence[Value], options: Options) -> Value:
    value, *bounds = arguments
    kind = require(value, *SIGNED).kind
    numbers = [as_kind(bound, kind) for bound in bounds]
    constants = [bound.constant for bound in bounds]
    if len(numbers) != options["has_min"] + options["has_max"] or constants != sorted(constants):
        raise UntranslatableError("bounds that are not in order")
    lower: tuple[s.CompareOp, ...] = ("<",) if options["has_min"] else ()
    ops: tuple[s.CompareOp, ...] = (*lower, ">")
    whens = tuple((s.Compare(op, value.scalar, n), n) for op, n in zip(ops, numbers, strict=False))
    return case(whens, value.scalar, kind)


def _extreme(function: str) -> Handler:
    def handler(arguments: Sequence[Value], _options: Options) -> Value:
        kind = functools.reduce(_joint, arguments).kind
        require(Value(s.TRUE, kind), *SIGNED, "Date", "Datetime")  # among floats, NaN is the greatest there
        return Value(s.Call(function, tuple(as_kind(v, kind) for v in arguments), STORED[kind]), kind)

    return handler


def cast(value: Value, target: Any, *, strict: bool) -> Value:
    """A conversion, as far as it is exact."""
    kind = "Datetime" if target == {"Datetime": ["Microseconds", None]} else str(target)
    match value.kind, kind:
        case same, _ if same == kind:
            return value
        case "Boolean", ("Int8" | "Int16" | "Int32" | "Int64" | "Float64"):
            return Value(s.Cast(s.Cast(value.scalar, INT32), STORED[kind]), kind)
        case ("Date", "Datetime") | ("Datetime", "Date"):
            return Value(s.Cast(value.scalar, STORED[kind]), kind)
        case (("Int8" | "Int16" | "Int32" | "Int64"), "String"):
            return Value(s.Cast(value.scalar, s.TEXT), kind)
        case (from_, _) if kind in SIGNED and from_ in SIGNED[SIGNED.index(kind) :]:
            if not strict:
                raise UntranslatableError("null where it does not fit")
            return narrowed(s.Cast(value.scalar, s.INT64), kind)
        case _ if kind in STORED:
            return Value(as_kind(value, kind), kind)
        case _:
            raise UntranslatableError(f"{value.kind} as {kind}")


# text


def _length(function: str) -> Handler:
    def handler(arguments: Sequence[Value], _options: Options) -> Value:
        (value,) = arguments
        return Value(s.Call(function, (require(value, "String").scalar,), s.INT64), "UInt32")

    return handler


def _pattern(before: str, after: str) -> Handler:
    def handler(arguments: Sequence[Value], options: Options) -> Value:
        value, part = arguments
        if not options.get("literal", True) or require(part, "String").constant is None:
            raise UntranslatableError("regular expressions differ")
        escaped = "".join(f"\\{c}" if c in "\\%_" else c for c in part.constant)
        pattern = s.Constant(f"{before}{escaped}{after}", s.TEXT)
        return truth(s.Like(require(value, "String").scalar, pattern))

    return handler


def _concatenated(arguments: Sequence[Value], options: Options) -> Value:
    if options["ignore_nulls"]:
        raise UntranslatableError("leaves nulls out")
    delimiter = s.Constant(options["delimiter"], s.TEXT)
    texts = [require(value, "String").scalar for value in arguments]

    def joined(left: s.Scalar, right: s.Scalar) -> s.Scalar:
        start = s.Call("||", (left, delimiter), s.TEXT) if delimiter.value else left
        return s.Call("||", (start, right), s.TEXT)

    return Value(functools.reduce(joined, texts), "String")


# time


def _part(function: str, kind: str, *of: str) -> Handler:
    def handler(arguments: Sequence[Value], _options: Options) -> Value:
        (value,) = arguments
        found = s.Call(function, (require(value, *of).scalar,), s.INT64)
        return Value(s.Cast(found, STORED[kind]), kind)

    return handler


def _date(arguments: Sequence[Value], _options: Options) -> Value:
    (value,) = arguments
    return Value(s.Cast(require(value, "Datetime").scalar, s.DATE), "Date")


_DAYS: Final = ("Date", "Datetime")
_HANDLERS: Final[dict[tuple[str, ...], Handler]] = {
    ("Boolean", "IsNull"): _is_null,
    ("Boolean", "IsNotNull"): _is_not_null,
    ("Boolean", "Not"): _not,
    ("Boolean", "AnyHorizontal"): _any_of,
    ("Boolean", "AllHorizontal"): _all_of,
    ("Boolean", "IsNan"): _of_float(is_nan),
    ("Boolean", "IsNotNan"): _of_float(lambda scalar: s.Not(is_nan(scalar))),
    ("Boolean", "IsFinite"): _of_float(lambda scalar: s.Not(_among(_SPECIAL)(scalar))),
    ("Boolean", "IsInfinite"): _of_float(_among((math.inf, -math.inf))),
    ("Boolean", "IsBetween"): _is_between,
    ("FillNull",): _coalesce,
    ("Coalesce",): _coalesce,
    ("Abs",): _abs,
    ("Negate",): _negate,
    ("Sign",): _sign,
    ("Floor",): _whole("floor"),
    ("Ceil",): _whole("ceil"),
    ("Round",): _round,
    ("Pow", "Sqrt"): _sqrt,
    ("Clip",): _clip,
    ("MinHorizontal",): _extreme("least"),
    ("MaxHorizontal",): _extreme("greatest"),
    ("StringExpr", "LenChars"): _length("length"),
    ("StringExpr", "LenBytes"): _length("octet_length"),
    ("StringExpr", "StartsWith"): _pattern("", "%"),
    ("StringExpr", "EndsWith"): _pattern("%", ""),
    ("StringExpr", "Contains"): _pattern("%", "%"),
    ("StringExpr", "ConcatHorizontal"): _concatenated,
    ("TemporalExpr", "Year"): _part("YEAR", "Int32", *_DAYS),
    ("TemporalExpr", "Quarter"): _part("QUARTER", "Int8", *_DAYS),
    ("TemporalExpr", "Month"): _part("month", "Int8", *_DAYS),
    ("TemporalExpr", "Week"): _part("WEEK", "Int8", *_DAYS),
    ("TemporalExpr", "WeekDay"): _part("WEEKDAY", "Int8", *_DAYS),
    ("TemporalExpr", "OrdinalDay"): _part("ORDINAL_DAY", "Int16", *_DAYS),
    ("TemporalExpr", "Day"): _part("day", "Int8", *_DAYS),
    ("TemporalExpr", "Hour"): _part("hour", "Int8", "Datetime"),
    ("TemporalExpr", "Minute"): _part("minute", "Int8", "Datetime"),
    ("TemporalExpr", "Second"): _part("second", "Int8", "Datetime"),
    ("TemporalExpr", "Date"): _date,
}


__all__ = ["call", "cast", "coalesced", "is_nan"]
