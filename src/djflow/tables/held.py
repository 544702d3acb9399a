"""Rows that a `make` inserts, held until they are written together with its completion and with other keys'.

They are validated when they are inserted, so that an error comes from the line that gave them.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from itertools import chain, groupby
from threading import get_ident
from typing import Any, Final

import pyarrow as pa

from djflow.ingest.prepare import prepare
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CodecType
from djflow.relation.conditions import HasPlan
from djflow.relation.database import Database
from djflow.sql.rows import OnConflict
from djflow.storage.referring import refers
from djflow.tables.row_check import RowCheck

_ROW_BYTES: Final = 200  # about what a row of plain values takes as a dict
_MOST_ROWS: Final = 20_000  # held by one call
_MOST_BYTES: Final = 32 << 20


@dataclass(slots=True)
class HeldRows:
    """What one call of a `make` has inserted into its table and the parts of it, in order."""

    owner: TableName
    database: Database
    checks: dict[TableName, RowCheck]  # shared by the calls for many keys
    inserts: list["_Insert"] = field(default_factory=list)
    rows: int = 0
    nbytes: int = 0
    is_written: bool = False  # what comes later is written at once
    _keys: dict[TableName, set[tuple[Any, ...]]] = field(default_factory=dict)

    @property
    def tables(self) -> set[TableName]:
        """The tables into which rows are held."""
        return {insert.table.name for insert in self.inserts}

    def can_hold(self, table: Table, source: Any, database: Database) -> bool:
        """Whether an insert may wait: not one of a query, of objects in stores, or into a table of others."""
        is_own = self.owner in (table.name, table.name.master) and database is self.database
        return is_own and not self.is_written and not isinstance(source, HasPlan) and not _has_objects(table)

    def hold(
        self, table: Table, source: Any, policy: OnConflict, batches: Iterator[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch] | None:
        """Hold an insert: its plain rows, or else `batches`, which are converted now.

        What cannot wait is returned as batches: rows with keys that are held already, which the server is to
        refuse, more than should be in memory, and those whose source, while it was read, had all that is
        held written.
        """
        check = self.checks.get(table.name) or self.checks.setdefault(table.name, RowCheck(table))
        if isinstance(source, list | tuple) and len(source) <= _MOST_ROWS and all(map(check.accepts, source)):
            insert = _Insert(table, policy, rows=[dict(row) for row in source])
        else:
            some = list(_up_to(batches, _MOST_ROWS, _MOST_BYTES))
            insert = _Insert(table, policy, batches=[_copied(batch) for batch in some])
        if self.is_written or self._is_much(insert) or not self._are_new(insert):
            return chain(insert.batches, batches)
        self.inserts.append(insert)
        self.rows += insert.size
        self.nbytes += insert.nbytes
        return None

    def counting(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches that are written at once, and count as of this call all the same."""
        for batch in batches:
            self.rows += batch.num_rows
            self.nbytes += batch.nbytes
            yield batch

    def _is_much(self, insert: "_Insert") -> bool:
        return self.rows + insert.size > _MOST_ROWS or self.nbytes + insert.nbytes > _MOST_BYTES

    def _are_new(self, insert: "_Insert") -> bool:
        held = self._keys.setdefault(insert.table.name, set())
        before, keys = len(held), insert.keys()
        held.update(keys)
        return len(held) == before + insert.size


@dataclass(frozen=True, slots=True)
class _Insert:
    """Rows of one insert: plain ones as they came, others in the table's exact types."""

    table: Table
    policy: OnConflict
    rows: Sequence[dict[str, Any]] = ()
    batches: Sequence[pa.RecordBatch] = ()

    @property
    def size(self) -> int:
        """How many rows there are."""
        return len(self.rows) + sum(int(batch.num_rows) for batch in self.batches)

    @property
    def nbytes(self) -> int:
        """About what they take in memory."""
        return len(self.rows) * _ROW_BYTES + sum(int(batch.nbytes) for batch in self.batches)

    def keys(self) -> Iterator[tuple[Any, ...]]:
        """The primary key of each row."""
        names = self.table.primary_key
        for row in self.rows:
            yield tuple([row.get(name) for name in names])
        for batch in self.batches:
            given = [name for name in names if name in batch.schema.names]
            columns = [batch.column(name).to_pylist() for name in given]
            yield from zip(*columns, strict=True) if columns else [()] * batch.num_rows


@dataclass(frozen=True, slots=True)
class Writable:
    """Rows for one table, whoever inserted them."""

    table: Table
    policy: OnConflict
    batches: Sequence[pa.RecordBatch]


# A context's and a thread's: a context may be copied into another thread, or into a forked child.
_current: Final[ContextVar[tuple[HeldRows, int, int] | None]] = ContextVar("djflow_held", default=None)


@contextmanager
def holding(held: HeldRows) -> Iterator[None]:
    """While what this thread inserts is held."""
    token = _current.set((held, get_ident(), os.getpid()))
    try:
        yield
    finally:
        _current.reset(token)


def current() -> HeldRows | None:
    """What holds the inserts of this thread."""
    held, *place = _current.get() or (None,)
    return held if place == [get_ident(), os.getpid()] else None


def writables(held: Iterable[HeldRows]) -> Iterator[Writable]:
    """What several calls hold, put together by table, in the order in which these came first.

    Where one insert may depend on another into the same table, all are kept in their order.
    """
    inserts = [insert for each in held for insert in each.inserts]
    policies: dict[TableName, set[OnConflict]] = {}
    for insert in inserts:
        policies.setdefault(insert.table.name, set()).add(insert.policy)
    if any(len(of_table) > 1 for of_table in policies.values()):
        together = [[insert] for insert in inserts]
    else:
        by_table: dict[TableName, list[_Insert]] = {}
        for insert in inserts:
            by_table.setdefault(insert.table.name, []).append(insert)
        together = list(by_table.values())
    for some in together:
        yield Writable(some[0].table, some[0].policy, list(_batches(some)))


def _batches(inserts: Sequence[_Insert]) -> Iterator[pa.RecordBatch]:
    table = inserts[0].table
    rows = (row for insert in inserts for row in insert.rows)
    for _, alike in groupby(rows, key=_names):
        yield from prepare(list(alike), table)
    batches = [batch for insert in inserts for batch in insert.batches]
    for _, run in groupby(batches, key=lambda batch: batch.schema):
        yield pa.concat_batches(list(run))


def _up_to(batches: Iterator[pa.RecordBatch], rows: int, nbytes: int) -> Iterator[pa.RecordBatch]:
    """The first of some batches, until they have more rows or bytes than that."""
    for batch in batches:
        yield batch
        rows, nbytes = rows - batch.num_rows, nbytes - batch.nbytes
        if rows < 0 or nbytes < 0:
            return


def _copied(batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with memory of its own: that of frames and arrays is whoever's gave them, and may change."""
    return pa.ipc.read_record_batch(batch.serialize(), batch.schema)


def _names(row: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row)


def _has_objects(table: Table) -> bool:
    return any(
        refers(column, if_unknown=True) for column in table.columns if isinstance(column.type, CodecType)
    )
