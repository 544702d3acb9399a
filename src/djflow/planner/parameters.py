"""Values leave the plan as numbered, typed parameters."""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from djflow.model.types import CoreType, EnumType, StoredType, sql_type
from djflow.planner.scalar import Slot, core_name, is_integer
from djflow.sql.identifiers import quote

_FLOATS: Final = ("float32", "float64", "real", "double precision")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value, the Arrow type in which it travels, and the SQL type to which the text casts it."""

    value: Any
    type: pa.DataType
    cast: str

    def filled(self, values: Sequence[Any]) -> "Parameter":
        """The parameter with values in place of its slots.

        >>> Parameter([Slot(0), Slot(1)], pa.list_(pa.string()), "text[]").filled([True, "x"]).value
        ['true', 'x']
        """
        if isinstance(self.value, Slot):
            return replace(self, value=as_travelling(values[self.value.number], self.type))
        if isinstance(self.value, list) and any(isinstance(item, Slot) for item in self.value):
            items = (values[item.number] if isinstance(item, Slot) else item for item in self.value)
            return replace(self, value=[as_travelling(item, self.type.value_type) for item in items])
        return self


@dataclass(frozen=True, slots=True)
class ArrayFrame:
    """A local frame in the text of a statement: one array for each column.

    `text` is how it stands there, `numbers` are its parameters and `casts` the types of its columns.
    """

    text: str
    numbers: tuple[int, ...]
    casts: tuple[str, ...]

    def renumbered(self, numbers: Mapping[int, int]) -> "ArrayFrame":
        """The frame with other numbers for its parameters."""
        own = tuple(numbers[number] for number in self.numbers)
        return ArrayFrame(renumber(self.text, numbers), own, self.casts)

    def reading(self, table: str) -> str:
        """The text that reads the same rows from a temporary table.

        >>> ArrayFrame("ANY($1::bigint[])", (1,), ("bigint",)).reading("f")
        'ANY(SELECT "c1"::bigint FROM pg_temp."f")'
        """
        columns = ", ".join(f"{quote(f'c{i}')}::{cast}" for i, cast in enumerate(self.casts, 1))
        verb = "ANY" if self.text.startswith("ANY") else ""
        return f"{verb}(SELECT {columns} FROM pg_temp.{quote(table)})"


@dataclass(frozen=True, slots=True)
class TemporaryRows:
    """Rows that travel ahead of a statement, into a temporary table with the columns c1, c2, ..."""

    name: str
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Shipped:
    """A statement that reads its large frames from temporary tables."""

    sql: str
    parameters: tuple[Parameter, ...]
    tables: tuple[TemporaryRows, ...]


def plan_shipping(
    sql: str, parameters: Sequence[Parameter], frames: Sequence[ArrayFrame], inline_values: int
) -> Shipped | None:
    """The statement with every frame of more than `inline_values` values in a table of its own.

    The tables' names depend only on the order of the frames. None if no frame is that large.

    >>> frame = ArrayFrame("ANY($1::bigint[])", (1,), ("bigint",))
    >>> many = Parameter(pa.array([7, 8]), pa.list_(pa.int64()), "bigint[]")
    >>> shipped = plan_shipping("x = $2::text AND n = ANY($1::bigint[])", (many, many), (frame,), 1)
    >>> shipped.sql
    'x = $1::text AND n = ANY(SELECT "c1"::bigint FROM pg_temp."djflow_frame_1")'
    >>> shipped.tables[0].rows.column("c1").to_pylist(), len(shipped.parameters)
    ([7, 8], 1)
    """
    tables: list[TemporaryRows] = []
    for frame in frames:
        columns = [parameters[number - 1].value for number in frame.numbers]
        if sum(map(len, columns)) > inline_values:
            name = f"djflow_frame_{len(tables) + 1}"
            names = [f"c{i}" for i in range(1, len(columns) + 1)]
            tables.append(TemporaryRows(name, pa.table(columns, names)))
            sql = sql.replace(frame.text, frame.reading(name))
    if not tables:
        return None
    used = placeholders(sql)
    numbers = {old: new for new, old in enumerate(used, 1)}
    return Shipped(renumber(sql, numbers), tuple(parameters[old - 1] for old in used), tuple(tables))


@dataclass(slots=True)
class Parameters:
    """Collects the parameters of one statement in order of their placeholders."""

    values: list[Parameter] = field(default_factory=list)
    frames: list[ArrayFrame] = field(default_factory=list)

    def add(self, value: Any, type_: StoredType) -> str:
        """A placeholder for one value, cast to the type.

        >>> Parameters().add(7, CoreType("int32"))
        '$1::bigint'
        """
        travel = travel_type(type_)
        return self._place(as_travelling(value, travel), travel, _cast_name(type_))

    def add_written(self, text: str, type_: StoredType) -> str:
        """A placeholder for a value that the server wrote as text, and reads back.

        >>> Parameters().add_written("7", CoreType("int32"))
        '$1::integer'
        """
        return self._place(text, pa.string(), cast_name(type_))

    def add_list(self, values: Any, type_: StoredType) -> str:
        """A placeholder for an array of values."""
        travel = travel_type(type_)
        if isinstance(values, pa.Array | pa.ChunkedArray):
            column = values.cast(travel)
            listed = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        else:
            listed = [as_travelling(value, travel) for value in values]
        return self._place(listed, pa.list_(travel), f"{_cast_name(type_)}[]")

    def add_rows(self, columns: Sequence[tuple[pa.ChunkedArray, StoredType]]) -> str:
        """The columns of a frame as a relation for the FROM clause.

        >>> Parameters().add_rows([(pa.chunked_array([[1, 2]]), CoreType("int32"))])
        'unnest($1::bigint[])'
        """
        return self._frame("unnest", columns)

    def add_any(self, values: pa.ChunkedArray, type_: StoredType) -> str:
        """The column of a frame as what `=` compares with: any of its values."""
        return self._frame("ANY", [(values, type_)])

    def _frame(self, verb: str, columns: Sequence[tuple[pa.ChunkedArray, StoredType]]) -> str:
        first = len(self.values) + 1
        text = f"{verb}({', '.join(self.add_list(values, type_) for values, type_ in columns)})"
        numbers = tuple(range(first, first + len(columns)))
        self.frames.append(ArrayFrame(text, numbers, tuple(_cast_name(type_) for _, type_ in columns)))
        return text

    def _place(self, value: Any, travel: pa.DataType, cast: str) -> str:
        self.values.append(Parameter(value, travel, cast))
        return f"${len(self.values)}::{cast}"


# Quoted names and labels are skipped: they may contain anything.
QUOTED: Final = r""""(?:[^"]|"")*"|'(?:[^']|'')*'"""
_PLACEHOLDER: Final = re.compile(rf"{QUOTED}|\$(\d+)")


def placeholders(sql: str) -> tuple[int, ...]:
    """The numbers of the parameters that a text mentions, in order of their first appearance.

    >>> placeholders('"odd $9" > $2 AND $1 < $2'), placeholders("s = '$3' AND n = $1")
    ((2, 1), (1,))
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
    if value is None or isinstance(value, Slot) or travel != pa.string():
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
