"""Defaults: constants in the one spelling that each type has."""

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Final
from uuid import UUID

from djflow.errors import DefinitionError, did_you_mean
from djflow.model.table import Literal
from djflow.model.types import CodecType, CoreType, DataType, EnumType, NativeType

_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_BITS: Final = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "smallint": 16, "integer": 32, "bigint": 64}
_LARGEST_FLOAT32: Final = 3.4028234663852886e38
_MAX_EXPONENT: Final = 10_000  # beyond it a decimal's digits are not worth writing out to refuse them
_NOT_FINITE: Final = {
    "nan": "NaN",
    "infinity": "Infinity",
    "inf": "Infinity",
    "-infinity": "-Infinity",
    "-inf": "-Infinity",
}
_TEMPORAL: Final = re.compile(r"(?:date|datetime|time|timestamp)\b[^\[]*")
_BOOLEANS: Final = {"true": "true", "1": "true", "false": "false", "0": "false"}


def canonical_default(type_: DataType, text: str) -> Literal:
    """The constant that `text` denotes as a value of a type, in canonical spelling.

    Raises `DefinitionError`, without a position, for what the type cannot hold.

    >>> canonical_default(CoreType("int16"), "+05"), canonical_default(CoreType("decimal", (8, 3)), "1.5")
    (Literal(text='5'), Literal(text='1.500'))
    >>> canonical_default(CoreType("datetime"), "2024-01-31T12:00"), canonical_default(CoreType("bool"), "1")
    (Literal(text='2024-01-31 12:00:00'), Literal(text='true'))
    """
    match type_:
        case CodecType():
            raise _no_constant(type_)
        case EnumType(labels):
            return Literal(_label(labels, text))
        case CoreType():
            return Literal(_core(type_, text))
        case NativeType(sql):
            return Literal(_native(sql, text))


def needs_quotes(type_: DataType, literal: Literal) -> bool:
    """Whether a definition quotes a constant of this type.

    >>> needs_quotes(CoreType("int32"), Literal("5")), needs_quotes(CoreType("date"), Literal("2024-01-31"))
    (False, True)
    """
    if isinstance(type_, CoreType) and type_.name == "bool":
        return False
    is_numeric = isinstance(type_, CoreType | NativeType) and re.match(
        r"int\d|float|decimal|smallint|integer|bigint|real|double|numeric", str(type_)
    )
    return not (is_numeric and _NUMBER.fullmatch(literal.text))


def accepts_current_timestamp(type_: DataType) -> bool:
    """Whether `CURRENT_TIMESTAMP` can be a default of this type.

    >>> accepts_current_timestamp(CoreType("datetime", (3,))), accepts_current_timestamp(CoreType("int32"))
    (True, False)
    """
    return isinstance(type_, CoreType | NativeType) and _TEMPORAL.fullmatch(str(type_)) is not None


def _core(type_: CoreType, text: str) -> str:
    match type_.name:
        case "decimal":
            return _decimal(text, *type_.args)
        case "char" | "varchar":
            return _characters(type_, text)
        case "datetime":
            return _datetime(text, type_.args[0] if type_.args else None)
        case "bytes" | "json":
            raise _no_constant(type_)
        case name:
            return _READERS[name](name, text)


def _native(sql: str, text: str) -> str:
    if "serial" in sql:
        raise DefinitionError(f"A {sql} takes its values from a sequence.", hint="Leave the default out.")
    if sql in _READERS:
        return _READERS[sql](sql, text)
    if digits := re.fullmatch(r"numeric\((\d+),(\d+)\)", sql):
        return _decimal(text, int(digits[1]), int(digits[2]))
    return text


def _integer(name: str, text: str) -> str:
    if not _INTEGER.fullmatch(text):
        raise _misfit(text, name, "a whole number")
    bits = _BITS[name]
    value = int(text) if len(text) <= 2 * bits else 1 << bits
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise _misfit(text, name, f"a whole number from {-(1 << (bits - 1))} to {(1 << (bits - 1)) - 1}")
    return str(value)


def _float(name: str, text: str) -> str:
    if text.lower() in _NOT_FINITE:
        return _NOT_FINITE[text.lower()]
    if not _NUMBER.fullmatch(text):
        raise _misfit(text, name, "a number")
    value = float(text)
    largest = _LARGEST_FLOAT32 if name in ("float32", "real") else math.inf
    if math.isinf(value) or abs(value) > largest:
        raise _misfit(text, name, "a number within its range")
    return repr(value)


def _decimal(text: str, precision: int, scale: int) -> str:
    form = f"decimal({precision},{scale})"
    expected = f"a number with at most {precision - scale} digits before the point and {scale} after it"
    try:
        value = Decimal(text) if _NUMBER.fullmatch(text) else None
    except InvalidOperation:  # an exponent that no decimal has
        value = None
    if value is None or abs(value.adjusted()) > _MAX_EXPONENT:
        raise _misfit(text, form, expected)
    canonical = f"{value:.{scale}f}"
    if (
        Decimal(canonical) != value
        or len(canonical.lstrip("-").partition(".")[0].lstrip("0")) > precision - scale
    ):
        raise _misfit(text, form, expected)
    return canonical.lstrip("-") if value == 0 else canonical


def _numeric(name: str, text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise _misfit(text, name, "a number")
    return text


def _boolean(name: str, text: str) -> str:
    if text.lower() not in _BOOLEANS:
        raise _misfit(text, name, "true or false")
    return _BOOLEANS[text.lower()]


def _characters(type_: CoreType, text: str) -> str:
    if len(text) > type_.args[0]:
        raise _misfit(text, str(type_), f"at most {type_.args[0]} characters")
    return text


def _label(labels: tuple[str, ...], text: str) -> str:
    if text not in labels:
        known = ", ".join(map(repr, labels))
        raise DefinitionError(
            f"{text!r} is not a label of the enum.", hint=f"Labels: {known}.{did_you_mean(text, labels)}"
        )
    return text


def _date(name: str, text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise _misfit(text, name, "a date such as '2024-01-31'") from None


def _datetime(text: str, digits: int | None) -> str:
    form = "datetime" if digits is None else f"datetime({digits})"
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise _misfit(
            text, form, "a time such as '2024-01-31 12:00:00', or CURRENT_TIMESTAMP without quotes"
        ) from None
    if value.tzinfo is not None:
        raise _misfit(text, form, "a time in UTC, without an offset")
    if digits is not None and value.microsecond % 10 ** (6 - digits):
        raise _misfit(text, form, f"a time with at most {digits} fractional digits")
    return value.isoformat(sep=" ")


def _zoned(name: str, text: str) -> str:
    try:
        return datetime.fromisoformat(text).isoformat(sep=" ")
    except ValueError:
        raise _misfit(text, name, "a time such as '2024-01-31 12:00:00+00:00'") from None


def _time(name: str, text: str) -> str:
    try:
        return time.fromisoformat(text).isoformat()
    except ValueError:
        raise _misfit(text, name, "a time such as '12:00:00'") from None


def _uuid(name: str, text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise _misfit(text, name, "a UUID such as '12345678-1234-5678-1234-567812345678'") from None


_READERS: Final[dict[str, Callable[[str, str], str]]] = {
    **dict.fromkeys(_BITS, _integer),
    **dict.fromkeys(("float32", "float64", "real", "double precision"), _float),
    "numeric": _numeric,
    "bool": _boolean,
    "date": _date,
    "uuid": _uuid,
    "time without time zone": _time,
    "timestamp without time zone": lambda _name, text: _datetime(text, None),
    "timestamp with time zone": _zoned,
}


def _misfit(text: str, type_: str, expected: str) -> DefinitionError:
    shown = text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - a message stays readable
    return DefinitionError(f"The default {shown!r} does not fit {type_}.", hint=f"Expected {expected}.")


def _no_constant(type_: DataType) -> DefinitionError:
    return DefinitionError(
        f"{type_} has no constants as defaults.", hint="Only `= null` is possible, or no default."
    )
