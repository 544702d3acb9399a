"""What the functions of expressions mean, over plain Python values."""

import math
from calendar import monthrange
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from functools import cmp_to_key, partial
from typing import Any, Final

from djflow.testing.naive_values import UndefinedValueError, as_decimal, compare_values, sort_key, text_of

Values = Sequence[Any]
_ordered = cmp_to_key(compare_values)


def _whole(rounding: str) -> Callable[[Any], Any]:
    def rounded(value: Any) -> Any:
        if isinstance(value, int) or (isinstance(value, float) and not math.isfinite(value)):
            return value
        found = Decimal(value).to_integral_value(rounding)
        return float(found) if isinstance(value, float) else found

    return rounded


def _round(value: Any, digits: int = 0) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return value
    with localcontext(prec=100):
        return as_decimal(value).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def _sign(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return value
    return type(value)((value > 0) - (value < 0))


def _real(function: Callable[..., float]) -> Callable[..., float]:
    def computed(*values: Any) -> float:
        try:
            return function(*map(float, values))
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise UndefinedValueError(f"{function.__name__}{values}") from error

    return computed


def _div(left: Any, right: Any) -> int:
    if right == 0:
        raise UndefinedValueError("division by zero")
    with localcontext(prec=100):
        return int(as_decimal(left) / as_decimal(right))  # towards zero


def _substring(text: str, start: int, length: int | None = None) -> str:
    """Counted from one; what lies before the text counts towards the length."""
    if length is None:
        return text[max(start - 1, 0) :]
    if length < 0:
        raise UndefinedValueError("negative length")
    return text[max(start - 1, 0) : max(start - 1 + length, 0)]


def _replace(text: str, old: str, new: str) -> str:
    return text.replace(old, new) if old else text


_CLOCK: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_CALENDAR: Final = {"month": 1, "quarter": 3, "year": 12}


def _as_datetime(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001 - the column has no zone


def _as_date(moment: date) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _towards_zero(count: int, size: int) -> int:
    return count // size if count >= 0 else -(-count // size)


def _elapsed(seconds: int, start: date, end: date) -> int:
    micros = (_as_datetime(end) - _as_datetime(start)) // timedelta(microseconds=1)
    return _towards_zero(micros, seconds * 1_000_000)


def _elapsed_months(months: int, start: date, end: date) -> int:
    early, late = sorted((_as_datetime(start), _as_datetime(end)))
    whole = (late.year - early.year) * 12 + late.month - early.month
    whole -= (late.day, late.time()) < (early.day, early.time())
    return (whole // months) * (1 if _as_datetime(start) <= _as_datetime(end) else -1)


def _truncated(unit: str, moment: date) -> datetime:
    found = _as_datetime(moment).replace(microsecond=0)
    if unit == "second":
        return found
    found = found.replace(second=0)
    if unit == "minute":
        return found
    found = found.replace(minute=0)
    if unit == "hour":
        return found
    found = found.replace(hour=0)
    match unit:
        case "week":
            return found - timedelta(days=found.weekday())
        case "day":
            return found
    size = _CALENDAR[unit]
    return found.replace(day=1, month=(found.month - 1) // size * size + 1)


def _shifted(moment: date, by: timedelta) -> date:
    try:
        return moment + by
    except OverflowError as error:
        raise UndefinedValueError("a moment out of range") from error


def _with_months(moment: date, months: int) -> date:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    try:
        return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
    except ValueError as error:
        raise UndefinedValueError("a moment out of range") from error


def _narrow(number: int) -> int:
    if not -128 <= number < 128:  # noqa: PLR2004 - what 8 bits hold
        raise UndefinedValueError(f"{number} does not fit 8 bits")
    return number


# Null if any argument is.
STRICT: Final[dict[str, Callable[..., Any]]] = {
    "abs": abs,
    "ceil": _whole(ROUND_CEILING),
    "floor": _whole(ROUND_FLOOR),
    "sign": _sign,
    "div": _div,
    "round": _round,
    "sqrt": _real(math.sqrt),
    "exp": _real(math.exp),
    "ln": _real(math.log),
    "log10": _real(math.log10),
    "power": _real(math.pow),
    "sin": _real(math.sin),
    "cos": _real(math.cos),
    "tan": _real(math.tan),
    "degrees": _real(math.degrees),
    "radians": _real(math.radians),
    "pi": lambda: math.pi,
    "atan2": _real(math.atan2),
    "||": lambda left, right: left + right,
    "lower": str.lower,
    "upper": str.upper,
    "trim": lambda text: text.strip(" "),
    "length": len,
    "octet_length": lambda value: len(value.encode() if isinstance(value, str) else value),
    "substring": _substring,
    "left": lambda text, count: text[:count],
    "right": lambda text, count: text[-count:] if count > 0 else text[-count:] if count else "",
    "replace": _replace,
    "year": lambda moment: moment.year,
    "month": lambda moment: moment.month,
    "day": lambda moment: moment.day,
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "second": lambda moment: moment.second,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "dayofyear": lambda moment: moment.timetuple().tm_yday,
    "dayofweek": lambda moment: moment.isoweekday() % 7 + 1,
    "weekday": lambda moment: moment.weekday(),
    "date": lambda moment: moment,  # converted to the result's type
    "BYTEWISE": lambda text: text,
    "FLOOR_DIV": lambda left, right: left // right if right else None,
    "FLOOR_MOD": lambda left, right: left % right if right else None,
    "NARROW_INT8": _narrow,
    "RINT": lambda value: float(round(value)) if math.isfinite(value) else value,
    "YEAR": lambda moment: moment.year,
    "QUARTER": lambda moment: (moment.month + 2) // 3,
    "WEEK": lambda moment: moment.isocalendar().week,
    "WEEKDAY": lambda moment: moment.isoweekday(),
    "ORDINAL_DAY": lambda moment: moment.timetuple().tm_yday,
    "datediff": lambda left, right: (_as_date(left) - _as_date(right)).days,
    **{f"timestampdiff_{unit}": partial(_elapsed, seconds) for unit, seconds in _CLOCK.items()},
    **{f"timestampdiff_{unit}": partial(_elapsed_months, months) for unit, months in _CALENDAR.items()},
    **{f"date_trunc_{unit}": partial(_truncated, unit) for unit in (*_CLOCK, *_CALENDAR)},
    "_add_months": _with_months,
    "_add_days": lambda moment, days: _shifted(moment, timedelta(days=days)),
    "_add_seconds": lambda moment, seconds: _shifted(moment, timedelta(seconds=seconds)),
}


def _present(values: Values) -> list[Any]:
    return [value for value in values if value is not None]


def _nullif(values: Values) -> Any:
    first, second = values
    same = first is not None and second is not None and compare_values(first, second) == 0
    return None if same else first


# These see nulls.
LENIENT: Final[dict[str, Callable[[Values], Any]]] = {
    "greatest": lambda values: max(_present(values), key=_ordered, default=None),
    "least": lambda values: min(_present(values), key=_ordered, default=None),
    "_zero_if_null": lambda values: next(iter(_present(values)), 0),
    "_ratio": lambda values: None if None in values or values[1] == 0 else values[0] / values[1],
    "_one_if_null": lambda values: next(iter(_present(values)), 1),
    "coalesce": lambda values: next(iter(_present(values)), None),
    "nullif": _nullif,
    "concat": lambda values: "".join(map(text_of, _present(values))),
}


def _sum(values: Values) -> Any:
    return sum(values[1:], start=values[0])


def _mean(values: Values) -> float:
    return math.fsum(map(float, values)) / len(values) if all(map(_is_finite, values)) else _hot(values)


def _hot(values: Values) -> float:
    """The mean of values of which some are infinite or NaN."""
    return float(sum(map(float, values)))


def _is_finite(value: Any) -> bool:
    return math.isfinite(value)


def _variance(values: Values, less: int) -> float | None:
    if len(values) <= less:
        return None
    if not all(map(_is_finite, values)):
        return math.nan
    mean = _mean(values)
    return math.fsum((float(value) - mean) ** 2 for value in values) / (len(values) - less)


def _deviation(values: Values, less: int) -> float | None:
    variance = _variance(values, less)
    return None if variance is None else math.sqrt(variance)


def _distinct(values: Values) -> int:
    return len({sort_key(value) for value in values})


def concatenated(values: Values, separator: str) -> str:
    """The texts of the values in their order."""
    return separator.join(text_of(value) for value in sorted(values, key=_ordered))


# Given the values present, at least one; a summary of none is null, and of a count zero.
SUMMARIES: Final[dict[str, Callable[[Values], Any]]] = {
    "sum": _sum,
    "avg": _mean,
    "min": lambda values: min(values, key=_ordered),
    "max": lambda values: max(values, key=_ordered),
    "std": lambda values: _deviation(values, 0),
    "stddev": lambda values: _deviation(values, 1),
    "stddev_pop": lambda values: _deviation(values, 0),
    "stddev_samp": lambda values: _deviation(values, 1),
    "variance": lambda values: _variance(values, 1),
    "var_pop": lambda values: _variance(values, 0),
    "var_samp": lambda values: _variance(values, 1),
    "bool_and": all,
    "bool_or": any,
    "group_concat": partial(concatenated, separator=","),
    "count": len,
    "count_distinct": _distinct,
}
COUNTS: Final = frozenset({"count", "count_distinct"})
