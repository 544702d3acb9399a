"""Literals of Polars as constants."""

import datetime as dt
import math
from decimal import Decimal
from typing import Any, Final

from djflow.model.types import CoreType
from djflow.planner import scalar as s
from djflow.planner.polars_expressions.kinds import INTEGERS, STORED, Value, literal
from djflow.planner.polars_expressions.serialised import Tree, UntranslatableError, node_of

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - columns have no zone
_MICROSECONDS: Final = {"Microseconds": 1, "Milliseconds": 1000}
_INT64: Final = 2**63


def read_literal(held: Tree) -> Value:
    """The value of a literal. Raises `UntranslatableError` for what the server does not have, such as NUL.

    >>> read_literal({"Dyn": {"Int": 5}}).kind, read_literal({"Scalar": {"Date": 0}}).constant
    ('DynInt', datetime.date(1970, 1, 1))
    """
    match held:
        case {"Dyn": {"Int": int() as whole}} if -_INT64 <= whole < _INT64:
            return Value(s.Constant(whole, s.INT64), "DynInt")
        case {"Dyn": {"Float": float() as number}} if math.isfinite(number):
            return Value(s.Constant(number, s.FLOAT64), "DynFloat")
        case {"Scalar": scalar}:
            return _scalar(*node_of(scalar))
        case _:
            raise UntranslatableError("this literal")


def _scalar(kind: str, held: Any) -> Value:
    match kind, held:
        case "Null", _:
            return Value(s.Constant(None, s.TEXT), "Null")
        case ("Boolean", bool()):
            return Value(s.Constant(held, s.BOOL), kind)
        case "String", str() if "\0" not in held:
            return Value(s.Constant(held, s.TEXT), kind)
        case _, int() if kind in INTEGERS:
            return Value(literal(held, kind), kind)
        case (("Float32" | "Float64"), float()):
            return Value(s.Constant(held, STORED[kind]), kind)
        case "Date", int():
            return Value(s.Constant(_EPOCH.date() + dt.timedelta(days=held), s.DATE), kind)
        case "Datetime", [int() as count, unit, None]:
            moment = _EPOCH + dt.timedelta(microseconds=count * _MICROSECONDS[unit])
            return Value(s.Constant(moment, s.DATETIME), kind)
        case "Decimal", [int() as unscaled, int(), int() as scale]:
            return Value(s.Constant(Decimal(unscaled).scaleb(-scale), CoreType("decimal", (38, scale))), kind)
        case _:
            raise UntranslatableError(f"a literal of {kind}")
