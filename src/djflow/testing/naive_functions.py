"""What the functions of expressions mean, over plain Python values."""

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from functools import cmp_to_key
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
    "atan2": _real(math.atan2),
    "||": lambda left, right: left + right,
    "lower": str.lower,
    "upper": str.upper,
    "trim": lambda text: text.strip(" "),
    "length": len,
    "octet_length": len,
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
    "date": lambda moment: moment,  # converted to the result's type
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


def _concatenated(values: Values) -> str:
    return ",".join(text_of(value) for value in sorted(values, key=_ordered))


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
    "group_concat": _concatenated,
    "count": len,
    "count_distinct": _distinct,
}
COUNTS: Final = frozenset({"count", "count_distinct"})
