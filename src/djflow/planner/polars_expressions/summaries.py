"""Trees whose value summarises the rows of a group."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from djflow.model.table import Heading
from djflow.model.types import CoreType
from djflow.planner import scalar as s
from djflow.planner.polars_expressions.calls import is_nan
from djflow.planner.polars_expressions.kinds import (
    FLOAT32,
    FLOATS,
    INT32,
    INTEGERS,
    SIGNED,
    STORED,
    Value,
    narrowed,
    require,
    stored_type,
    truth,
)
from djflow.planner.polars_expressions.operators import bytewise
from djflow.planner.polars_expressions.rows import Reader, read_composed, row_reader
from djflow.planner.polars_expressions.serialised import Tree, UntranslatableError, function_path, node_of

_ONE: Final = s.Constant(1, s.INT64)
_ZERO: Final = s.Constant(0, s.INT64)


@dataclass(frozen=True, slots=True)
class _Rows:
    """What is summarised: a value of each row, and which rows are left out."""

    value: Value
    kept: s.Scalar | None = None

    def of(self, scalar: s.Scalar) -> s.Scalar:
        """A scalar that is null in the rows left out."""
        return scalar if self.kept is None else s.Case(((self.kept, scalar),), None, s.type_of(scalar))

    @property
    def present(self) -> s.Scalar:
        """The value, null in the rows left out."""
        plain = s.Cast(self.value.scalar, s.TEXT) if self.value.kind == "String" else self.value.scalar
        return self.of(plain)


def summary_reader(heading: Heading) -> Reader:
    """What reads expressions over the rows of a group."""
    read_row = row_reader(heading)

    def read(tree: Tree) -> Value:
        match node_of(tree):
            case "Len", _:
                return _count(_ONE)
            case "Agg", held:
                return _aggregate(*node_of(held), read_row)
            case "Function", {"function": function, "input": [only]} if _is_summary(function):
                return _truths(function, _rows(only, read_row))
            case kind, held:
                return read_composed(kind, held, read)

    return read


def _is_summary(function: Tree) -> bool:
    return function_path(function)[0] in (("Boolean", "Any"), ("Boolean", "All"), ("NullCount",))


def _rows(tree: Tree, read_row: Reader) -> _Rows:
    match node_of(tree):
        case "Filter", held:
            inner = _rows(held["input"], read_row)
            by = require(read_row(held["by"]), "Boolean").scalar
            return _Rows(inner.value, by if inner.kept is None else s.And((inner.kept, by)))
        case "Alias", [inner_tree, _]:
            return _rows(inner_tree, read_row)
        case _:
            value = read_row(tree)
            if not s.columns_of(value.scalar):
                raise UntranslatableError("a literal is one row, however many the group has")
            return _Rows(value)


def _aggregate(name: str, held: Any, read_row: Reader) -> Value:
    match name, held:
        case (("Std" | "Var"), [inner, (0 | 1) as ddof]):
            return _spread(_rows(inner, read_row), _SPREADS[name, ddof])
        case (("Min" | "Max"), {"input": inner, "propagate_nans": False}):
            return _EXTREMES[name](_rows(inner, read_row))
        case "Count", {"input": inner, "include_nulls": include}:
            rows = _rows(inner, read_row)
            return _count(rows.of(_ONE) if include else rows.present)
        case _:
            return _SIMPLE[name](_rows(held, read_row))


def _count(scalar: s.Scalar) -> Value:
    return Value(s.Call("count", (scalar,), s.INT64), "UInt32")


def _or_nothing(summary: s.Scalar, nothing: Any, kind: str) -> Value:
    """A summary that has a value without rows, too."""
    type_ = s.type_of(summary)
    return Value(s.Call("coalesce", (summary, s.Constant(nothing, type_)), type_), kind)


def _sum(rows: _Rows) -> Value:
    kind = rows.value.kind
    if kind in SIGNED:
        total = _or_nothing(s.Call("sum", (rows.present,), s.INT64), 0, "Int64").scalar
        return narrowed(total, "Int32" if kind == "Int32" else "Int64")
    if kind == "Boolean":
        ones = rows.of(s.Cast(rows.value.scalar, INT32))
        return _or_nothing(s.Call("sum", (ones,), s.INT64), 0, "UInt32")
    if kind == "Decimal":
        return _sum_of_decimals(rows)
    require(rows.value, *FLOATS)
    total = _or_nothing(s.Call("sum", (_real(rows),), s.FLOAT64), 0.0, "Float64").scalar
    return _in_width(total, kind)


def _sum_of_decimals(rows: _Rows) -> Value:
    match s.type_of(rows.value.scalar):
        case CoreType("decimal", (_, scale)):
            total = s.Call("sum", (rows.present,), CoreType("decimal", (38, scale)))
            return _or_nothing(total, Decimal(0), "Decimal")
        case _:
            raise UntranslatableError("a decimal without digits")


def _real(rows: _Rows) -> s.Scalar:
    """The values as 64-bit floats."""
    value = rows.value
    if value.kind == "Boolean":
        return rows.of(s.Cast(s.Cast(value.scalar, INT32), s.FLOAT64))
    return rows.of(s.Cast(require(value, *INTEGERS, *FLOATS).scalar, s.FLOAT64))


def _in_width(scalar: s.Scalar, kind: str) -> Value:
    """A 64-bit float in the width that Polars gives to a summary of a kind."""
    if kind == "Float32":
        return Value(s.Cast(scalar, FLOAT32), kind)
    return Value(scalar, "Float64")


def _mean(rows: _Rows) -> Value:
    # Not the server's average, which computes squares, and fails where these overflow.
    values = _real(rows)
    count = s.Cast(s.Call("count", (values,), s.INT64), s.FLOAT64)
    mean = s.Arithmetic("/", s.Call("sum", (values,), s.FLOAT64), count, s.FLOAT64)
    return _in_width(mean, rows.value.kind)


_SPREADS: Final = {
    ("Std", 0): "stddev_pop",
    ("Std", 1): "stddev_samp",
    ("Var", 0): "var_pop",
    ("Var", 1): "var_samp",
}


def _spread(rows: _Rows, function: str) -> Value:
    return _in_width(s.Call(function, (_real(rows),), s.FLOAT64), rows.value.kind)


def _extreme(function: str, of_truths: str) -> Callable[[_Rows], Value]:
    def extreme(rows: _Rows) -> Value:
        kind, values = rows.value.kind, rows.present
        if kind == "Boolean":
            return truth(s.Call(of_truths, (values,), s.BOOL))
        if kind == "String":
            return Value(s.Call(function, (bytewise(values),), s.TEXT), kind)
        require(rows.value, *SIGNED, *FLOATS, "UInt32", "Decimal", "Date", "Datetime")
        stored = stored_type(rows.value)
        found = s.Call(function, (values,), stored)
        if kind in FLOATS and function == "max":  # NaN is the greatest, but Polars looks past it
            numbers = s.Case(((s.Not(is_nan(values)), values),), None, stored)
            found = s.Call("coalesce", (s.Call(function, (numbers,), stored), found), stored)
        return Value(found, kind)

    return extreme


_EXTREMES: Final = {"Min": _extreme("min", "bool_and"), "Max": _extreme("max", "bool_or")}


def _distinct(rows: _Rows) -> Value:
    """The number of different values, of which null is one."""
    require(rows.value, *STORED, "Decimal")
    values = rows.present
    absent = s.Compare(">", _count(rows.of(_ONE)).scalar, _count(values).scalar)
    distinct = s.Call("count_distinct", (values,), s.INT64)
    one_more = s.Case(((absent, _ONE),), _ZERO, s.INT64)
    return Value(s.Arithmetic("+", distinct, one_more, s.INT64), "UInt32")


_SIMPLE: Final[dict[str, Callable[[_Rows], Value]]] = {"Sum": _sum, "Mean": _mean, "NUnique": _distinct}


def _truths(function: Tree, rows: _Rows) -> Value:
    path, options = function_path(function)
    if path == ("NullCount",):
        every, present = _count(rows.of(_ONE)).scalar, _count(rows.present).scalar
        return Value(s.Arithmetic("-", every, present, s.INT64), "UInt32")
    if not options["ignore_nulls"]:
        raise UntranslatableError("unknown where a value is")
    require(rows.value, "Boolean")
    found = s.Call("bool_or" if path[1] == "Any" else "bool_and", (rows.present,), s.BOOL)
    return _or_nothing(found, path[1] == "All", "Boolean")
