"""Which objects the rows of a query refer to outside of one store, a batch at a time."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import InvalidArgumentError, UnknownAttributeError
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType
from djflow.planner import analyze
from djflow.planner.nodes import Node
from djflow.relation.database import Database
from djflow.relation.fetch import stored_rows
from djflow.tables.archive.references import reference_columns
from djflow.tables.objects.references import is_plain, names_of, store_of

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

BATCH_OBJECTS: Final = 128
BATCH_BYTES: Final = 1 << 30
_USERS: Final = "filepath"


@dataclass(frozen=True, slots=True)
class Movable:
    """An object in a store: the reference `text` of some rows of a column, and the places of these rows."""

    attribute: str
    store: str
    text: str
    reference: Mapping[str, Any]
    rows: tuple[int, ...]

    @property
    def path(self) -> str:
        """Where the object lies in its store."""
        return str(self.reference["path"])

    @property
    def size(self) -> int | None:
        """How many bytes the row says that the object has."""
        size = self.reference.get("size")
        return size if isinstance(size, int) else None


@dataclass(frozen=True, slots=True)
class Movables:
    """The rows of a query, and which of their columns refer to objects that may move to the store `to`."""

    table: Table
    columns: tuple[Attribute, ...]
    rows: "pa.Table"
    database: Database
    to: str

    def __len__(self) -> int:
        return sum(len(self._distinct(column)) for column in self.columns)

    def batches(self) -> Iterator[list[Movable]]:
        """The objects outside of the store, each once a column; those of a batch are of one column."""
        for column in self.columns:
            yield from _cut(self._of(column))

    def keys(self, rows: Sequence[int]) -> list[str]:
        """The primary keys of some rows as JSON objects, whose texts PostgreSQL reads."""
        chosen = self.rows.select(list(self.table.primary_key)).take(list(rows))
        return [
            json.dumps({name: _text(value) for name, value in key.items()})
            for key in (chosen.to_pylist() if self.table.primary_key else [{} for _ in rows])
        ]

    def _of(self, column: Attribute) -> Iterator[Movable]:
        stores = self.database.settings.stores
        there = names_of(stores, self.to)
        for text, rows in self._distinct(column).iter_rows():
            reference = json.loads(text)
            if isinstance(reference, dict) and isinstance(reference.get("path"), str):
                store = reference.get("store") or store_of(column, stores)
                if store not in there:
                    yield Movable(column.name, store, text, reference, tuple(rows))

    def _distinct(self, column: Attribute) -> "pl.DataFrame":
        import polars as pl

        texts = pl.DataFrame({"text": pl.Series(self.rows.column(column.name), dtype=pl.String)})
        return texts.with_row_index("row").drop_nulls().group_by("text", maintain_order=True).agg("row")


def find_movables(
    table: Table, plan: Node, database: Database, to: str, attributes: Sequence[str] | None
) -> Movables:
    """Read the rows of a query; `attributes` are names of columns, by default all that refer to objects.

    Raises `ConfigError` for a store that is not configured, `UnknownAttributeError`, and
    `InvalidArgumentError` for a column whose objects cannot be moved.
    """
    name = database.settings.stores.named(to).name
    columns = _columns(table, attributes)
    keys = tuple(table.heading.primary_key)
    rows = stored_rows(
        analyze.project(plan, tuple(c.name for c in columns if c.name not in keys), {}), database
    )
    return Movables(table, columns, rows, database, name)


def _columns(table: Table, names: Sequence[str] | None) -> tuple[Attribute, ...]:
    found = {column.name: column for column in reference_columns(table)}
    if names is None:
        chosen = [column for column in found.values() if not _is_users(column)]
    else:
        for name in names:
            if name not in table.heading:
                raise UnknownAttributeError(name, table.heading.names, context=str(table.name))
            if name not in found:
                raise InvalidArgumentError(f"{name!r} of {table.name} does not refer to objects in a store.")
        chosen = [found[name] for name in dict.fromkeys(names)]
    for column in chosen:
        _check(column)
    return tuple(chosen)


def _check(column: Attribute) -> None:
    if _is_users(column):
        raise InvalidArgumentError(
            f"The files of {column.name!r} are yours: move them yourself, and tell their rows with update1."
        )
    if not is_plain(column):
        raise InvalidArgumentError(
            f"{column.name!r} has a codec of its own, {column.type}, whose references only it understands. "
            "Name the other attributes, and insert these values anew."
        )


def _is_users(column: Attribute) -> bool:
    return isinstance(column.type, CodecType) and column.type.name == _USERS


def _cut(movables: Iterator[Movable]) -> Iterator[list[Movable]]:
    batch: list[Movable] = []
    size = 0
    for movable in movables:
        batch.append(movable)
        size += movable.size or 0
        if len(batch) == BATCH_OBJECTS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _text(value: Any) -> str | None:
    """A value of a key as PostgreSQL reads it.

    >>> _text(2.5)
    '2.5'
    """
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return None if value is None else str(value)
