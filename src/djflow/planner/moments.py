"""Moments moved by intervals: months, days and seconds, as calendars and clocks count them."""

from typing import Final

from djflow.planner import scalar as s
from djflow.planner.calls import Refuse, as_moment
from djflow.planner.functions import FUNCTIONS

# How many of which function's unit one unit is.
_UNITS: Final = {
    "year": ("_add_months", 12),
    "quarter": ("_add_months", 3),
    "month": ("_add_months", 1),
    "week": ("_add_days", 7),
    "day": ("_add_days", 1),
    "hour": ("_add_seconds", 3600),
    "minute": ("_add_seconds", 60),
    "second": ("_add_seconds", 1),
}
_LARGEST: Final = 100_000_000_000


def moved(item: s.Scalar, op: s.ArithmeticOp, count: object, unit: str, refuse: Refuse) -> s.Scalar:
    """A moment plus or minus an interval of whole units.

    A date stays a date when moved by days or more, as in MySQL.
    """
    name, each = _UNITS.get(unit.lower().removesuffix("s"), ("", 0))
    if not name or not isinstance(count, str) or not count.removeprefix("-").isdecimal():
        raise refuse(f"Write an interval as a whole number of one unit: {', '.join(_UNITS)}.")
    units = int(count) * each * (1 if op == "+" else -1)
    if abs(units) > _LARGEST:
        raise refuse("The interval is too long.")
    moment = as_moment(item, refuse)
    if name == "_add_seconds" and s.core_name(s.type_of(moment)) == "date":
        moment = s.Cast(moment, s.DATETIME)
    return s.Call(name, (moment, s.Constant(units, s.INT64)), FUNCTIONS[name].result([s.type_of(moment)]))
