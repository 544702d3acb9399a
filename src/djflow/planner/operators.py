"""Comparisons and arithmetic between scalars: constants are made to fit, other misfits are refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from djflow.errors import QuerySyntaxError
from djflow.model.types import CoreType, EnumType, StoredType
from djflow.planner import scalar as s
from djflow.planner.calls import Refuse
from djflow.planner.coerce import coerce
from djflow.planner.functions import FUNCTIONS


def as_condition(scalar: s.Scalar, refuse: Refuse) -> s.Scalar:
    """A scalar used as a condition; a number counts as true when it is not zero, as in MySQL."""
    type_ = s.type_of(scalar)
    if type_ == s.BOOL or str(type_) == "boolean":
        return scalar
    if isinstance(scalar, s.Constant) and scalar.value in (0, 1):
        return s.TRUE if scalar.value else s.FALSE
    if isinstance(scalar, s.Column) and s.is_numeric(type_):
        return s.Compare("<>", scalar, s.Constant(0, s.INT64))
    raise refuse(f"A condition must be true or false, but this is {type_}.")


def same(left: s.Scalar, right: s.Scalar, equal: Callable[[], s.Scalar]) -> s.Scalar:
    """Equality for which two nulls are the same; `equal` makes the plain one."""
    if isinstance(right, s.Constant):
        return s.IsNull(left) if right.value is None else s.IsTrue(equal())
    return s.Or((s.IsTrue(equal()), s.And((s.IsNull(left), s.IsNull(right)))))


def compare(op: s.CompareOp, left: s.Scalar, right: s.Scalar, text: str = "") -> s.Scalar:
    """A comparison whose constant has been made to fit the other side."""
    if op not in ("=", "<>") and s.family(s.type_of(left)) == "json":
        raise QuerySyntaxError(
            f"{s.show(left)} has no order; compare a value in it, as in {s.show(left)}->>'key'.", text=text
        )
    if isinstance(right, s.Constant):
        if isinstance(left, s.JsonPath) and isinstance(right.value, int | float):
            left = replace(left, type=s.FLOAT64)
        if right.value is None:
            return s.Compare(op, left, s.Constant(None, s.type_of(left)))
        value, type_ = coerce(right.value, s.type_of(left), s.show(left))
        return s.Compare(op, left, s.Constant(value, _label_type(op, value, left) or type_))
    if s.family(s.type_of(left)) != s.family(s.type_of(right)):
        raise QuerySyntaxError(
            f"Cannot compare {s.show(left)} ({s.type_of(left)}) with {s.show(right)} ({s.type_of(right)}).",
            text=text,
        )
    return s.Compare(op, left, right)


def _label_type(op: s.CompareOp, value: Any, item: s.Scalar) -> EnumType | None:
    """The type of an enum column that is compared for equality with one of its labels."""
    type_ = s.type_of(item)
    if op in ("=", "<>") and isinstance(item, s.Column) and isinstance(type_, EnumType):
        return type_ if value in type_.labels else None
    return None


def in_list(item: s.Scalar, values: list[Any]) -> s.Scalar:
    """`item IN (values)`; values of several types become several lists."""
    by_type: dict[StoredType, list[Any]] = {}
    for value in values:
        coerced, type_ = coerce(value, s.type_of(item), s.show(item))
        by_type.setdefault(_label_type("=", coerced, item) or type_, []).append(coerced)
    lists = tuple(s.InList(item, tuple(dict.fromkeys(found)), type_) for type_, found in by_type.items())
    return lists[0] if len(lists) == 1 else s.Or(lists)


def arithmetic_type(op: s.ArithmeticOp, left: StoredType, right: StoredType) -> StoredType | None:
    """The type of an arithmetic result, or None where it has no meaning."""
    if not (s.is_numeric(left) and s.is_numeric(right)):
        return _time_arithmetic(op, left, right)
    if op == "/":
        return s.FLOAT64
    if s.is_integer(left) and s.is_integer(right):
        return s.INT64
    scales = [_scale(left), _scale(right)]
    if None in scales:
        return s.FLOAT64
    digits = [scale or 0 for scale in scales]
    return CoreType("decimal", (38, sum(digits) if op == "*" else max(digits)))


def _scale(type_: StoredType) -> int | None:
    match type_:
        case CoreType("decimal", (_, scale)):
            return scale
        case _:
            return 0 if s.is_integer(type_) else None


def _time_arithmetic(op: s.ArithmeticOp, left: StoredType, right: StoredType) -> StoredType | None:
    match op, s.core_name(left), s.core_name(right):
        case "-", "date", "date":
            return s.INT64
        case "+" | "-", "date", _ if s.is_integer(right):
            return s.DATE
        case _:
            return None


def refuse_aggregates(scalar: s.Scalar, text: str) -> None:
    """Raise for a summary function where rows are computed one by one."""
    for node in s.walk(scalar):
        if isinstance(node, s.Call) and FUNCTIONS[node.function].is_aggregate:
            raise QuerySyntaxError(f"{node.function}() summarises rows: use it in .aggr().", text=text)
