"""How each type travels from the server: as its Arrow twin, or in a form that is restored from exactly."""

import re
from typing import Final

import pyarrow as pa

from djflow.model.types import CoreType, EnumType, NativeType, StoredType, arrow_type


def carried_fragment(fragment: str, stored: StoredType) -> str:
    """The SQL fragment in a type that both drivers carry exactly.

    >>> carried_fragment('t1."weight"', CoreType("decimal", (8, 3)))
    't1."weight"::text'
    """
    match stored:
        case EnumType() | CoreType("uuid" | "json" | "decimal" | "char"):
            return f"{fragment}::text"
        case NativeType(sql) if sql.startswith("interval"):
            return _microseconds_of_each(fragment) if sql.endswith("[]") else _microseconds(fragment)
        case NativeType(sql) if not _is_native_to_drivers(sql):
            return f"{fragment}::text[]" if sql.endswith("[]") else f"{fragment}::text"
        case _:
            return fragment


def carried_type(stored: StoredType) -> pa.DataType:
    """The Arrow type in which `carried_fragment` arrives.

    >>> carried_type(CoreType("int8"))
    DataType(int16)
    """
    match stored:
        case CoreType("int8"):
            return pa.int16()
        case CoreType("decimal"):
            return pa.string()
        case NativeType(sql) if sql.endswith("[]"):
            return pa.list_(carried_type(NativeType(sql.removesuffix("[]"))))
        case NativeType(sql) if sql.startswith("interval"):
            return pa.int64()
        case NativeType(sql) if not _is_native_to_drivers(sql):
            return pa.string()
        case _:
            return arrow_type(stored)


def _microseconds(fragment: str) -> str:
    return f"(extract(epoch from {fragment}) * 1000000)::bigint"


def _microseconds_of_each(fragment: str) -> str:
    elements = f"unnest({fragment}) WITH ORDINALITY AS each(value, place)"
    array = f"ARRAY(SELECT {_microseconds('value')} FROM {elements} ORDER BY place)"
    return f"CASE WHEN {fragment} IS NOT NULL THEN {array} END"


def _is_native_to_drivers(sql: str) -> bool:
    return _LENGTH.sub("", sql.removesuffix("[]")) in _NATIVE


_LENGTH: Final = re.compile(r"\(\d+\)")
_NATIVE: Final = frozenset(
    {
        "smallint",
        "integer",
        "bigint",
        "serial",
        "bigserial",
        "real",
        "double precision",
        "boolean",
        "text",
        "bytea",
        "date",
        "time without time zone",
        "timestamp without time zone",
        "timestamp with time zone",
    }
)
