"""A chunk of a source against a table: everything that `conform` would refuse, not the first of it alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa

from djflow.errors import did_you_mean
from djflow.ingest.chunk import Chunk
from djflow.ingest.columns import python_values
from djflow.ingest.conform import KeyRows
from djflow.ingest.convert import shown
from djflow.ingest.examine import examine
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType

REQUIRED: Final = "a required value is missing"
EMPTY: Final = "the row gives no value for any attribute"
_WIDTH: Final = 80  # characters of a value that a problem shows

CheckCodec: TypeAlias = Callable[
    [Attribute, Sequence[Any], Sequence[Mapping[str, Any]]], Mapping[str, Sequence[int]]
]
"""Tells which values of a codec's column cannot be encoded: for each reason, their places.

Gets the attribute, its values and the key of each row.
"""


@dataclass(frozen=True, slots=True)
class Problems:
    """A problem of a column in several rows; of the whole source where `rows` has only None.

    `rows` count from the start of the source, `values` are texts, None where there is no value, and
    `column` is None where the problem is the row itself. `problem` is one text, or one for each row.
    """

    column: str | None
    problem: str | Sequence[str]
    rows: Sequence[int | None]
    values: Sequence[str | None] | None = None
    expected: str | None = None


@dataclass(frozen=True, slots=True)
class Inspected:
    """A chunk's problems, and its columns but those of codecs, converted, null where there is a problem."""

    first_row: int
    rows: int
    columns: Mapping[str, pa.Array]
    problems: tuple[Problems, ...]


@dataclass(slots=True)
class Inspector:
    """Inspects the chunks of one source, one after another.

    >>> from djflow.model.names import TableName
    >>> from djflow.model.types import CoreType
    >>> int8 = CoreType("int8")
    >>> table = Table(TableName("lab", "rat"), "", (Attribute("rat", int8, int8, in_key=True),))
    >>> inspected = Inspector(table).inspect(Chunk({"rat": [1, 999]}, rows=2))
    >>> [(each.column, each.rows, each.values) for each in inspected.problems]
    [('rat', [1], ['999'])]
    """

    table: Table
    ignore_extra_fields: bool = False
    check_codec: CheckCodec = field(default=lambda _attribute, _values, _keys: {})
    _told: set[str] = field(default_factory=set)

    def inspect(self, chunk: Chunk, unread: Sequence[int] = ()) -> Inspected:
        """Everything that is wrong with a chunk. `unread` are rows of it that have been reported already."""
        given = [a for a in self.table.columns if a.name in chunk.columns and not a.is_hidden]
        problems = [*self._extra(chunk), *self._missing(chunk, unread)]
        columns: dict[str, pa.Array] = {}
        for attribute in given:
            if not isinstance(attribute.type, CodecType):
                columns[attribute.name], found = _examined(chunk, attribute, unread)
                problems += found
        key = {name: columns[name] for name in self.table.heading.primary_key if name in columns}
        keys = KeyRows(key, chunk.rows)
        for attribute in given:
            if isinstance(attribute.type, CodecType):
                problems += self._encoded(chunk, attribute, keys, unread)
        problems += self._empty(chunk, given, columns, problems)
        return Inspected(chunk.first_row, chunk.rows, columns, tuple(problems))

    def _extra(self, chunk: Chunk) -> Iterator[Problems]:
        names = self.table.heading.names
        for name, column in chunk.columns.items():
            if name in names or self.ignore_extra_fields:
                continue
            problem = f"the table has no such attribute.{did_you_mean(str(name), names)}"
            if chunk.from_rows:
                assert isinstance(column, list)  # noqa: S101 - rows are transposed to lists
                rows = [row for row, value in enumerate(column) if value is not None] or [0]
                texts = [_text(column[row]) for row in rows]
                yield Problems(str(name), problem, [chunk.first_row + row for row in rows], texts)
            elif self._first(str(name)):
                yield Problems(str(name), problem, [None])

    def _missing(self, chunk: Chunk, unread: Sequence[int]) -> Iterator[Problems]:
        for attribute in self.table.heading:
            if attribute.name in chunk.columns or not attribute.is_required or attribute.nullable:
                continue
            if chunk.from_rows:
                rows = _rows(chunk, np.arange(chunk.rows), unread)
                yield Problems(attribute.name, REQUIRED, rows, expected=str(attribute.type))
            elif self._first(attribute.name):
                yield Problems(attribute.name, REQUIRED, [None], expected=str(attribute.type))

    def _first(self, name: str) -> bool:
        """Whether a column as a whole has a problem for the first time: chunks share their columns."""
        is_first = name not in self._told
        self._told.add(name)
        return is_first

    def _encoded(
        self, chunk: Chunk, attribute: Attribute, keys: KeyRows, unread: Sequence[int]
    ) -> Iterator[Problems]:
        values = python_values(chunk.columns[attribute.name])
        if attribute.is_required and not attribute.nullable:
            absent = np.array([value is None for value in values], bool)
            yield from _absent(chunk, attribute, absent, unread)
        for reason, places in self.check_codec(attribute, values, keys).items():
            yield _problems(chunk, attribute, np.array(places), reason)

    @staticmethod
    def _empty(
        chunk: Chunk,
        given: Sequence[Attribute],
        columns: Mapping[str, pa.Array],
        known: Sequence[Problems],
    ) -> list[Problems]:
        """Rows that would be nothing but defaults, among those without another problem."""
        if any(a.default is None or a.nullable for a in given):
            return []
        empty = np.ones(chunk.rows, bool)
        for attribute in given:
            empty &= np.array(columns[attribute.name].is_null())
        rows = _rows(
            chunk, np.flatnonzero(empty), [row for each in known for row in each.rows if row is not None]
        )
        is_excused = any(None in each.rows for each in known)
        return [Problems(None, EMPTY, rows)] if rows and not is_excused else []


def _examined(
    chunk: Chunk, attribute: Attribute, unread: Sequence[int]
) -> tuple[pa.Array, Iterator[Problems]]:
    column = chunk.columns[attribute.name]
    examined = examine(column, attribute)

    def problems() -> Iterator[Problems]:
        absent = np.array(examined.array.is_null())
        for refused in examined.refused:
            absent[refused.places] = False
            yield _problems(chunk, attribute, refused.places, refused.reason)
        if attribute.is_required and not attribute.nullable:
            yield from _absent(chunk, attribute, absent, unread)

    return examined.array, problems()


def _absent(
    chunk: Chunk, attribute: Attribute, absent: "np.ndarray[Any, Any]", unread: Sequence[int]
) -> Iterator[Problems]:
    rows = _rows(chunk, np.flatnonzero(absent), unread)
    if rows:
        yield Problems(attribute.name, REQUIRED, rows, expected=str(attribute.type))


def _problems(chunk: Chunk, attribute: Attribute, places: "np.ndarray[Any, Any]", reason: str) -> Problems:
    column = chunk.columns[attribute.name]
    values = [_text(shown(column[int(place)])) for place in places]
    rows = (places + chunk.first_row).tolist()
    return Problems(attribute.name, reason, rows, values, str(attribute.type))


def _rows(chunk: Chunk, places: "np.ndarray[Any, Any]", unread: Sequence[int]) -> list[int]:
    rows = places + chunk.first_row
    found: list[int] = (rows[~np.isin(rows, unread)] if len(unread) else rows).tolist()
    return found


def _text(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of many thousand digits
        return f"a large {type(value).__name__}"
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
