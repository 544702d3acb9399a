"""Values leave the plan as numbered, typed parameters."""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from djflow.model.types import CoreType, EnumType, StoredType, sql_type
from djflow.planner.scalar import core_name, is_integer

_FLOATS: Final = ("float32", "float64", "real", "double precision")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value and the Arrow type in which it travels; the SQL text casts it to the type it is for."""

    value: Any
    type: pa.DataType


@dataclass(slots=True)
class Parameters:
    """Collects the parameters of one statement in order of their placeholders."""

    values: list[Parameter] = field(default_factory=list)

    def add(self, value: Any, type_: StoredType) -> str:
        """A placeholder for one value, cast to the type.

        >>> Parameters().add(7, CoreType("int32"))
        '$1::bigint'
        """
        travel = travel_type(type_)
        return f"{self._place(as_travelling(value, travel), travel)}::{_cast_name(type_)}"

    def add_list(self, values: Any, type_: StoredType) -> str:
        """A placeholder for an array of values."""
        travel = travel_type(type_)
        if isinstance(values, pa.Array | pa.ChunkedArray):
            column = values.cast(travel)
            listed = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        else:
            listed = [as_travelling(value, travel) for value in values]
        return f"{self._place(listed, pa.list_(travel))}::{_cast_name(type_)}[]"

    def _place(self, value: Any, travel: pa.DataType) -> str:
        self.values.append(Parameter(value, travel))
        return f"${len(self.values)}"


# Quoted names are skipped: they may contain anything.
_PLACEHOLDER: Final = re.compile(r'"(?:[^"]|"")*"|\$(\d+)')


def placeholders(sql: str) -> tuple[int, ...]:
    """The numbers of the parameters that a text mentions, in order of their first appearance.

    >>> placeholders('"odd $9" > $2 AND $1 < $2')
    (2, 1)
    """
    return tuple(dict.fromkeys(int(found[1]) for found in _PLACEHOLDER.finditer(sql) if found[1]))


def renumber(sql: str, numbers: Mapping[int, int]) -> str:
    """The text with other numbers for its parameters.

    >>> renumber("$2 AND $3", {2: 1, 3: 2})
    '$1 AND $2'
    """
    return _PLACEHOLDER.sub(lambda found: f"${numbers[int(found[1])]}" if found[1] else found[0], sql)


def travel_type(type_: StoredType) -> pa.DataType:
    """The Arrow type of a parameter: what both drivers carry alike; the rest goes as text."""
    if is_integer(type_):
        return pa.int64()
    name = core_name(type_) or str(type_)
    if name in _FLOATS:
        return pa.float64()
    if name in ("bytes", "bytea"):
        return pa.binary()
    return pa.string()


def as_travelling(value: Any, travel: pa.DataType) -> Any:
    """A value as its parameter's Arrow type holds it."""
    if value is None or travel != pa.string():
        return value
    match value:
        case bool():
            return "true" if value else "false"
        case dt.datetime() | dt.date():
            return value.isoformat()
        case Decimal():
            return format(value, "f")
        case _:
            return str(value)


def _cast_name(type_: StoredType) -> str:
    """The type to cast a parameter to, without lengths: a constant is never cut to fit."""
    if isinstance(type_, EnumType):
        return "text"
    if is_integer(type_):
        return "bigint"
    match type_:
        case CoreType("decimal"):
            return "numeric"
        case CoreType("varchar" | "char"):
            return "text"
        case CoreType("datetime"):
            return "timestamp"
        case _:
            return sql_type(type_)


def cast_name(type_: StoredType) -> str:
    """The type to cast a computed value to."""
    match type_:
        case EnumType() | CoreType("varchar" | "char", ()):
            return "text"
        case _:
            return sql_type(type_)
