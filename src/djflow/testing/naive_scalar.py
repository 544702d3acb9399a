"""What scalar expressions mean, row by row in plain Python; null is None, and unknown is None."""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterable, Sequence
from decimal import InvalidOperation, localcontext
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

from djflow.model.types import StoredType
from djflow.planner import scalar as s
from djflow.testing.naive_functions import COUNTS, LENIENT, STRICT, SUMMARIES, concatenated
from djflow.testing.naive_values import (
    UndefinedValueError,
    as_decimal,
    compare_values,
    convert,
    decode,
    kind_of,
    text_of,
)

if TYPE_CHECKING:
    from djflow.planner.nodes import Node

Row: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[Row]
RowsOf: TypeAlias = "Callable[[Node], Rows]"


def value_of(scalar: s.Scalar, row: Row, rows_of: RowsOf) -> Any:  # noqa: C901 - one `match`
    """The value of a scalar over one row; `rows_of` answers questions about other relations.

    Raises `UndefinedValueError` where SQL would refuse.

    >>> value_of(s.Compare("=", s.Column("n", s.INT64), s.Constant(1, s.INT64)), {"n": None}, lambda _: [])
    """

    def value(inner: s.Scalar) -> Any:
        return value_of(inner, row, rows_of)

    match scalar:
        case s.Column(name):
            return row[name]
        case s.Constant(constant, type_):
            return decode(constant, type_)
        case s.And(items):
            return _all(map(value, items))
        case s.Or(items):
            return _not(_all(_not(value(item)) for item in items))
        case s.Not(item):
            return _not(value(item))
        case s.IsTrue(item):
            return value(item) is True
        case s.IsNull(item):
            return value(item) is None
        case s.Case():
            return _case(scalar, value)
        case s.Matches(other, on):
            return any(matches(row, found, on) for found in rows_of(other))
        case s.Call(function, args, type_) if function in LENIENT:
            return convert(LENIENT[function]([value(arg) for arg in args]), type_)
        case _:
            operands = [value(child) for child in s.children(scalar)]
            return None if None in operands else _strict(scalar, operands)


def matches(left: Row, right: Row, on: Iterable[str]) -> bool:
    """Whether two rows are equal in the attributes `on`; null equals nothing.

    >>> matches({"a": 1}, {"a": 1}, ["a"]), matches({"a": None}, {"a": None}, ["a"])
    (True, False)
    """
    return all(_equal(left[name], right[name]) for name in on)


def summary_of(
    scalar: s.Scalar, group: Sequence[Row], row: Row, rows_of: RowsOf, *, count_of_none: int = 1
) -> Any:
    """The value of a scalar in which summaries see the rows of a group, and all else the one row.

    `count_of_none` is what `count(*)` says of an empty group: a row without a match stands alone.
    """

    def settled(inner: s.Scalar) -> s.Scalar:
        if isinstance(inner, s.Call) and inner.function in SUMMARIES:
            if not inner.args and not group:
                return s.Constant(count_of_none, inner.type)
            return s.Constant(_summary(inner, group, rows_of), inner.type)
        return s.map_children(inner, settled)

    return value_of(settled(scalar), row, rows_of)


def _summary(call: s.Call, group: Sequence[Row], rows_of: RowsOf) -> Any:
    if not call.args:
        return len(group)
    values = [value_of(call.args[0], row, rows_of) for row in group]
    present = [value for value in values if value is not None]
    if not present:
        return 0 if call.function in COUNTS else None
    if len(call.args) > 1:
        return concatenated(present, value_of(call.args[1], {}, rows_of))
    return convert(SUMMARIES[call.function](present), call.type)


def _all(values: Iterable[Any]) -> bool | None:
    found = list(values)
    if False in found:
        return False
    return None if None in found else True


def _not(value: bool | None) -> bool | None:  # noqa: FBT001 - a truth value is the subject here
    return None if value is None else not value


def _equal(left: Any, right: Any) -> bool:
    return left is not None and right is not None and compare_values(left, right) == 0


def _case(scalar: s.Case, value: Callable[[s.Scalar], Any]) -> Any:
    for when, then in scalar.whens:
        if value(when) is True:
            return convert(value(then), scalar.type)
    return None if scalar.otherwise is None else convert(value(scalar.otherwise), scalar.type)


def _strict(scalar: s.Scalar, operands: list[Any]) -> Any:
    """The value of a scalar whose operands are all present."""
    match scalar:
        case s.Compare(op):
            return _compare(op, compare_values(*operands))
        case s.InList(_, values, type_):
            return any(compare_values(operands[0], decode(value, type_)) == 0 for value in values)
        case s.Like():
            return _like(*operands, ignore_case=scalar.ignore_case)
        case s.Arithmetic():
            return _arithmetic(scalar, *operands)
        case s.Call(function, _, type_):
            return convert(STRICT[function](*operands), type_)
        case s.Cast(_, type_):
            return convert(operands[0], type_)
        case s.JsonPath(_, path, type_):
            return _json_path(operands[0], path, type_)
        case (
            s.Column()
            | s.Constant()
            | s.And()
            | s.Or()
            | s.Not()
            | s.IsTrue()
            | s.IsNull()
            | s.Case()
            | s.Matches()
        ):
            raise AssertionError("handled where nulls are seen")
        case _ as never:
            assert_never(never)


def _compare(op: s.CompareOp, sign: int) -> bool:
    return {
        "=": sign == 0,
        "<>": sign != 0,
        "<": sign < 0,
        "<=": sign <= 0,
        ">": sign > 0,
        ">=": sign >= 0,
    }[op]


def _like(text: str, pattern: str, *, ignore_case: bool) -> bool:
    if ignore_case:
        text, pattern = text.lower(), pattern.lower()
    wild = {"%": ".*", "_": "."}
    parts = re.findall(r"\\?.", pattern, re.DOTALL)
    if parts and parts[-1] == "\\":
        raise UndefinedValueError("a pattern ends in its escape character")
    expression = "".join(wild.get(part, re.escape(part[-1])) for part in parts)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _arithmetic(scalar: s.Arithmetic, left: Any, right: Any) -> Any:
    op, type_ = scalar.op, scalar.type
    if kind_of(s.type_of(scalar.left)) == "date":
        return _date_arithmetic(op, left, right)
    if op in ("/", "%") and right == 0:
        raise UndefinedValueError("division by zero")
    if op == "/" or (kind_of(type_) == "float64" and op != "%"):
        return _in_range(_OPERATIONS[op](float(left), float(right)), float(left), float(right))
    with localcontext(prec=100):
        if kind_of(type_) == "decimal" or op == "%":
            left, right = as_decimal(left), as_decimal(right)  # whose remainder has the dividend's sign
        try:
            return convert(_OPERATIONS[op](left, right), type_)
        except InvalidOperation as error:  # the remainder of an infinity
            raise UndefinedValueError(f"{left} {op} {right}") from error


def _in_range(result: float, *operands: float) -> float:
    if all(map(math.isfinite, operands)) and (
        not math.isfinite(result) or (result == 0 and 0 not in operands)
    ):
        raise UndefinedValueError("overflow or underflow")
    return result


def _date_arithmetic(op: str, left: dt.date, right: Any) -> Any:
    if isinstance(right, dt.date):
        return (left - right).days
    try:
        return left + dt.timedelta(days=int(right if op == "+" else -right))
    except OverflowError as error:
        raise UndefinedValueError("a date out of range") from error


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: left % right,
}


def _json_path(document: Any, path: tuple[str, ...], type_: StoredType) -> str | float | None:
    for step in path:
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and re.fullmatch(r"-?\d+", step):
            index = int(step)
            document = document[index] if -len(document) <= index < len(document) else None
        else:
            return None
    if kind_of(type_) == "float64":
        return float(document) if type(document) in (int, float) else None
    return None if document is None else text_of(document)
