"""Constants meet columns: a user's value becomes one of the column's type, or is refused.

Comparing in the column's own type keeps indexes usable and avoids surprises:
`f = 0.1` on a float32 column means the float32 nearest to 0.1.
"""

import datetime as dt
import json
import math
import re
import struct
import uuid
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from djflow.errors import DataTypeError
from djflow.model.types import CoreType, EnumType, NativeType, StoredType
from djflow.planner.scalar import (
    BOOL,
    DATE,
    DATETIME,
    FLOAT64,
    INT64,
    JSON,
    TEXT,
    core_name,
    is_integer,
    is_numeric,
    is_text,
)

_INT64: Final = 2**63
_HUGE: Final = 10**300
_NUMERAL: Final = re.compile(
    r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?|nan|inf(inity)?)", re.ASCII | re.IGNORECASE
)


def constant_type(value: Any) -> StoredType:
    """The type of a value that no column explains."""
    match value:
        case bool():
            return BOOL
        case int():
            return INT64 if -_INT64 <= value < _INT64 else CoreType("decimal", (38, 0))
        case float():
            return FLOAT64
        case Decimal():
            return CoreType("decimal", (38, max(0, -int(value.as_tuple().exponent))))
        case dt.datetime():
            return DATETIME
        case dt.date():
            return DATE
        case uuid.UUID():
            return CoreType("uuid")
        case bytes():
            return CoreType("bytes")
        case dict() | list():
            return JSON
        case _:
            return TEXT


def coerce(value: Any, type_: StoredType, column: str) -> tuple[Any, StoredType]:
    """A value fit to be compared with a column, and the type to send it as.

    >>> coerce("2024-01-31", DATE, "dob")
    (datetime.date(2024, 1, 31), CoreType(name='date', args=()))

    Raises `DataTypeError` where the two cannot be compared.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()  # a numpy scalar
    if value is None:
        return None, type_
    try:
        return _coerce(value, type_)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise DataTypeError(
            "the value cannot be compared with this attribute",
            column=column,
            expected=str(type_),
            value=value,
        ) from error


def _coerce(value: Any, type_: StoredType) -> tuple[Any, StoredType]:
    if is_numeric(type_):
        return _number(value, type_)
    if is_text(type_):
        return _text(value, type_)
    name = core_name(type_) or str(type_)
    if name in _MOMENTS:
        return _MOMENTS[name](value)
    match name:
        case "bool" | "boolean":
            return _bool(value), BOOL
        case "uuid":
            return str(value if isinstance(value, uuid.UUID) else uuid.UUID(str(value))), type_
        case "json":
            return _json(value), type_
        case "bytes" | "bytea":
            if not isinstance(value, bytes | bytearray | memoryview):
                raise TypeError("not bytes")
            return bytes(value), type_
        case _:
            return _storable(str(value)), type_


def _number(value: Any, type_: StoredType) -> tuple[Any, StoredType]:
    if isinstance(value, str):
        value = _numeral(value)
    if isinstance(value, bool):
        value = int(value)
    if not isinstance(value, int | float | Decimal):
        raise TypeError("not a number")
    _refuse_huge(value)
    if core_name(type_) == "float32" or str(type_) == "real":
        return float(value), type_ if _fits_single(float(value)) else FLOAT64
    if is_integer(type_):
        return _for_integers(value)
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        value = Decimal(value)
    if isinstance(value, float) and core_name(type_) == "decimal" and math.isfinite(value):
        value = Decimal(repr(value))  # the digits as written, which the column may hold exactly
    return value, constant_type(value)


def _refuse_huge(value: float | Decimal) -> None:
    if not isinstance(value, float) and abs(value) >= _HUGE:
        raise ValueError("more digits than any column holds")


def _numeral(text: str) -> Decimal | float:
    if not _NUMERAL.fullmatch(text.strip()):
        raise ValueError("not a number")
    value = Decimal(text.strip())
    return value if value.is_finite() else float(value)


def _fits_single(value: float) -> bool:
    """Whether the server can make a 32-bit float of the value; others equal none."""
    if value == 0 or not math.isfinite(value):
        return True
    try:
        return bool(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return False


def _for_integers(value: float | Decimal) -> tuple[Any, StoredType]:
    if isinstance(value, float) and not math.isfinite(value):
        return value, FLOAT64
    if value == int(value):
        value = int(value)
    return value, constant_type(value)


def _text(value: Any, type_: StoredType) -> tuple[Any, StoredType]:
    if isinstance(value, EnumType | bytes | bool) or (
        isinstance(value, Iterable) and not isinstance(value, str)
    ):
        raise TypeError("not text")
    del type_
    return _storable(str(value)), TEXT


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("PostgreSQL text cannot hold NUL")
    text.encode()  # a lone surrogate has no bytes
    return text


def _json(value: Any) -> str:
    text = json.dumps(value, allow_nan=False, ensure_ascii=False)
    if _JSON_NUL.search(text):
        raise ValueError("PostgreSQL text cannot hold NUL")
    return _storable(text)


_SHORT_DATE: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})", re.ASCII)
# An odd number of backslashes: the last begins an escape.
_JSON_NUL: Final = re.compile(r"(?<!\\)(\\\\)*\\u0000")


def _bool(value: Any) -> bool:
    match value:
        case bool():
            return value
        case 0 | 1:
            return bool(value)
        case str() if value.lower() in ("true", "t", "1", "false", "f", "0"):
            return value.lower() in ("true", "t", "1")
        case _:
            raise TypeError("not a boolean")


def _date(value: Any) -> tuple[Any, StoredType]:
    if isinstance(value, dt.datetime):
        return _without_zone(value), DATETIME
    if isinstance(value, dt.date):
        return value, DATE
    text = str(value).strip()
    if len(text) > len("2024-01-31"):
        return _without_zone(dt.datetime.fromisoformat(text)), DATETIME
    return dt.date.fromisoformat(_padded(text)), DATE


def _padded(text: str) -> str:
    """`2024-1-31`, as MySQL takes it, in ISO's form."""
    short = _SHORT_DATE.fullmatch(text)
    return "-".join(part.zfill(2) for part in short.groups()) if short else text


def _without_zone(moment: dt.datetime) -> dt.datetime:
    """The moment in UTC, as which columns without a zone hold it."""
    return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)


def _datetime(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the column has no zone
    return dt.datetime.fromisoformat(_padded(str(value).strip()))


_ZONED: Final = NativeType("timestamp with time zone")
_MOMENTS: Final[dict[str, Callable[[Any], tuple[Any, StoredType]]]] = {
    "date": _date,
    "datetime": lambda value: (_without_zone(_datetime(value)), DATETIME),
    "timestamp without time zone": lambda value: (_without_zone(_datetime(value)), DATETIME),
    _ZONED.sql: lambda value: (_datetime(value), _ZONED),
}
