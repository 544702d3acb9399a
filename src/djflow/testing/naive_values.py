"""Plain Python values with SQL's meaning of equality, order and conversion; no null is handled here."""

import datetime as dt
import json
import math
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from typing import Any, Final

import numpy as np

from djflow.model.types import CoreType, EnumType, StoredType

_BITS: Final = {
    "int8": 16,
    "int16": 16,
    "int32": 32,
    "int64": 64,
    "smallint": 16,
    "integer": 32,
    "bigint": 64,
}
# A double has this many digits when the server makes a decimal of it.
_DOUBLE_DIGITS: Final = 15


class UndefinedValueError(Exception):
    """A value that SQL refuses to compute: an overflow, a division by zero, a text that is no number."""


def kind_of(type_: StoredType) -> str:
    """The name that decides how a type behaves: that of a core type, `varchar` for labels.

    >>> kind_of(EnumType(("a", "b"))), kind_of(CoreType("decimal", (8, 3)))
    ('varchar', 'decimal')
    """
    match type_:
        case EnumType():
            return "varchar"
        case CoreType(name, _):
            return name
        case _:
            return str(type_)


def decode(value: Any, type_: StoredType) -> Any:
    """A constant or parameter as a value of a type, never cut to fit.

    >>> decode("1.50", CoreType("decimal", (8, 1))), decode("true", CoreType("bool"))
    (Decimal('1.50'), True)
    """
    if value is None:
        return None
    kind = kind_of(type_)
    if kind == "json":
        return json.loads(value) if isinstance(value, str) else value
    if kind == "decimal":
        return value if isinstance(value, Decimal) else Decimal(str(value))
    if kind in _BITS:
        return int(value)
    if kind in ("float32", "float64", "bool", "date", "datetime"):
        return convert(value, type_)
    return value.rstrip(" ") if kind == "char" else value


def compare_values(left: Any, right: Any) -> int:
    """Negative, zero or positive as `left` comes before, with or after `right`; NaN is above all numbers.

    >>> compare_values(float("nan"), float("inf")), compare_values(1, Decimal("1.0"))
    (1, 0)
    """
    first, second = sort_key(left, right), sort_key(right, left)
    return int(first > second) - int(first < second)


def sort_key(value: Any, other: Any = None) -> Any:
    """What orders a value among others of its type, or against `other` of a kindred one."""
    if _is_document(value, other):
        return json.dumps(_plain(value), sort_keys=True)
    if isinstance(value, float) or (isinstance(other, float) and isinstance(value, int | Decimal)):
        number = float(value)
        return (math.isnan(number), 0.0 if math.isnan(number) else number)
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime) and isinstance(other, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - columns have no zone
    return value


def _is_document(value: Any, other: Any) -> bool:
    """Whether two values can only be compared as documents, in which numbers, texts and truths differ."""
    if isinstance(value, dict | list) or isinstance(other, dict | list):
        return True
    return other is not None and (
        isinstance(value, str) is not isinstance(other, str)
        or (isinstance(value, bool) is not isinstance(other, bool))
    )


def _plain(document: Any) -> Any:
    """A document in which equal numbers are written alike."""
    match document:
        case dict():
            return {name: _plain(value) for name, value in document.items()}
        case list():
            return list(map(_plain, document))
        case float() if document.is_integer():
            return int(document)
        case _:
            return document


def convert(value: Any, type_: StoredType) -> Any:
    """A value cast to a type. Raises `UndefinedValueError` where SQL would refuse.

    >>> convert(Decimal("2.5"), CoreType("int32")), convert(2.5, CoreType("int32"))
    (3, 2)
    """
    if value is None:
        return None
    kind = kind_of(type_)
    try:
        if kind in _BITS:
            return _integer(value, _BITS[kind])
        return _CONVERSIONS[kind](value) if kind in _CONVERSIONS else _other(value, type_)
    except (ValueError, OverflowError, InvalidOperation) as error:
        raise UndefinedValueError(f"{value!r} as {type_}") from error


def _other(value: Any, type_: StoredType) -> Any:
    match type_:
        case CoreType("decimal", (_, scale)):
            return _decimal(value, int(scale))
        case _:
            return value


def _integer(value: Any, bits: int) -> int:
    if isinstance(value, Decimal):
        number = int(value.quantize(Decimal(1), ROUND_HALF_UP))
    elif isinstance(value, float):
        number = round(value)  # the server rounds halves of doubles to even, too
    else:
        number = int(value)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise UndefinedValueError(f"{number} does not fit {bits} bits")
    return number


def _decimal(value: Any, scale: int) -> Decimal:
    with localcontext(prec=100):
        return as_decimal(value).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


def as_decimal(value: Any) -> Decimal:
    """A number as a decimal, a double by the digits that are certain."""
    if isinstance(value, float):
        return Decimal(f"{value:.{_DOUBLE_DIGITS}g}")
    return Decimal(value)


def _float32(value: Any) -> float:
    with np.errstate(over="ignore"):
        found = float(np.float32(float(value)))
    if math.isinf(found) and not math.isinf(float(value)):
        raise UndefinedValueError(f"{value} does not fit 32 bits")
    return found


def _bool(value: Any) -> bool:
    return value.lower() in ("true", "t", "1") if isinstance(value, str) else bool(value)


def _date(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)


def _datetime(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - columns have no zone
    return dt.datetime.fromisoformat(value)


def text_of(value: Any) -> str:
    """The text of a value as the server writes it.

    >>> text_of(True), text_of(7), text_of(Decimal("1.50"))
    ('true', '7', '1.50')
    """
    match value:
        case bool():
            return "true" if value else "false"
        case dt.datetime():
            return str(value).rstrip("0") if value.microsecond else str(value)
        case Decimal():
            return format(value, "f")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


_CONVERSIONS: Final[dict[str, Callable[[Any], Any]]] = {
    "float32": _float32,
    "float64": float,
    "varchar": text_of,
    "char": text_of,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
}
