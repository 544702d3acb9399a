"""A relation in parts that are read apart, here or in other processes, all in one view of the database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Self, overload

import pyarrow as pa

from djflow.backend.snapshot import Snapshot
from djflow.configuration import Settings
from djflow.engine.compile import Compiled
from djflow.engine.execute import schema_of, stream
from djflow.engine.key_ranges import (
    Key,
    KeyRange,
    lower_range,
    lower_starts,
    plan_key_ranges,
    sliced,
    sorted_by_key,
)
from djflow.errors import InvalidArgumentError, QueryError
from djflow.model.table import Heading
from djflow.planner import analyze
from djflow.planner.lower_sql import Statement, lower_count, lower_rows
from djflow.planner.nodes import Empty, Node, is_ordered
from djflow.planner.questions import counted
from djflow.planner.rewriter import optimise
from djflow.relation import fetch
from djflow.relation.database import Database
from djflow.relation.decode import arrow_values

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

_LIVE_SESSIONS: Final = 8


@dataclass(frozen=True, eq=False)
class Partition:
    """The rows of a relation in one range of its key, as they were when the partitions were made.

    It can be pickled and read in another process, as long as the snapshot lives: while the partitions, or
    one of them, are referred to where they were made, and until `Partitions.close()`. After that reading
    raises `SnapshotGoneError`.
    """

    plan: Node
    keys: KeyRange
    snapshot: str
    database: Database = field(repr=False)
    _alive: Snapshot | None = field(default=None, repr=False)

    @property
    def heading(self) -> Heading:
        """The attributes, primary key first."""
        return self.plan.heading

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table, as `Relation.to_arrow` gives them."""
        return arrow_values(self.stored_rows(), self.heading, self.database)

    def to_polars(self) -> "pl.DataFrame":
        """The rows as a Polars frame, as `Relation.to_polars` gives them."""
        return fetch.polars_frame(self.stored_rows(), self.heading, self.database)

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a pandas frame, as `Relation.to_pandas` gives them."""
        return fetch.pandas_frame(self.stored_rows(), self.heading, self.database)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The rows as dicts of Python values."""
        return list(fetch.dicts_of(self.stored_rows(), self.heading, self.database))

    def to_batches(self) -> pa.RecordBatchReader:
        """The rows as a stream of record batches in bounded memory; codec columns stay encoded."""
        source = self._stream(self._sorted_statement())
        return pa.RecordBatchReader.from_batches(schema_of(self.heading), source)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def stored_rows(self) -> pa.Table:
        """The rows in exact types, codec columns encoded."""
        return fetch.arranged(self._stream(self._statement()), self.plan)

    def _statement(self) -> Statement:
        if self.keys.is_open:
            return lower_rows(optimise(self.plan).plan)
        return lower_range(self.plan, self.keys)

    def _sorted_statement(self) -> Statement:
        if is_ordered(self.plan) or not self.heading.primary_key:
            return self._statement()
        return sorted_by_key(lower_range(self.plan, self.keys))

    def _stream(self, statement: Statement) -> Iterator[pa.RecordBatch]:
        compiled = Compiled(self.plan, self.plan, (), statement, is_small=False)
        return stream(self.database.session, compiled, streaming=True, snapshot=self.snapshot)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self.plan, self.keys, self.snapshot, self.database.settings)

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return type(self).__qualname__, repr(self.plan), repr(self.keys), self.snapshot


def _rebuilt(plan: Node, keys: KeyRange, snapshot: str, settings: Settings) -> Partition:
    return Partition(plan, keys, snapshot, _database(settings))


@lru_cache(_LIVE_SESSIONS)
def _database(settings: Settings) -> Database:
    """One database a process, so that its partitions share connections."""
    return Database(lambda: settings)


class Partitions(Sequence[Partition]):
    """The parts of a relation, in the order of its rows: together they are all of them, each once.

    Also a context manager, which closes the snapshot at its end.
    """

    edges: tuple[Key, ...]

    def __init__(self, parts: tuple[Partition, ...], snapshot: Snapshot, edges: tuple[Key, ...] = ()) -> None:
        """`edges` are the first key of each part with rows, and the last of all, where ranges of keys cut."""
        self._parts, self._snapshot, self.edges = parts, snapshot, edges

    @overload
    def __getitem__(self, index: int) -> Partition: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Partition, ...]: ...
    def __getitem__(self, index: int | slice) -> Partition | tuple[Partition, ...]:
        return self._parts[index]

    def __len__(self) -> int:
        return len(self._parts)

    def __repr__(self) -> str:
        return f"<{len(self)} partitions of {', '.join(self[0].heading.names)}>"

    def close(self) -> None:
        """Let the snapshot go: partitions not read yet raise `SnapshotGoneError` from now on."""
        self._snapshot.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def partitions(plan: Node, database: Database, count: int) -> Partitions:
    """Cut a plan into `count` parts of about equal numbers of rows.

    Raises `InvalidArgumentError` for a count below one, and `QueryError` inside a transaction, whose
    writes no other connection could see.
    """
    if not isinstance(count, int) or count < 1:
        raise InvalidArgumentError(f"The number of partitions is one or more, not {count!r}.")
    if database.in_transaction:
        raise QueryError(
            "Partitions are read over other connections, which do not see what this transaction wrote. "
            "Make them outside of it."
        )
    if plan.has_local:
        raise QueryError(
            "Partitions are cut by the server, and a Polars expression of this query has no exact SQL. "
            "Make partitions without it, and apply it to the frames of the partitions."
        )
    database.before_query(plan)
    snapshot = database.session.snapshot()

    def part(share: Node, keys: KeyRange) -> Partition:
        return Partition(share, keys, snapshot.name, database, snapshot)

    key = [a for a in plan.heading if a.in_key]
    if is_ordered(plan) or not key or any(a.nullable for a in key):
        slices = _slices(plan, database, snapshot.name, count)
        return Partitions(tuple(part(share, KeyRange()) for share in slices), snapshot)
    edges = _edges(plan, database, snapshot.name, count)
    ranges = plan_key_ranges(edges[:-1])
    rest = (part(Empty(plan.heading), KeyRange()) for _ in range(count - len(ranges)))
    return Partitions((*(part(plan, keys) for keys in ranges), *rest), snapshot, edges)


def _edges(plan: Node, database: Database, snapshot: str, count: int) -> tuple[Key, ...]:
    rows = _read(database, lower_starts(plan, count), snapshot)
    return (*(tuple(key) for *key, is_first in rows if is_first), *(row[:-1] for row in rows[-1:]))


def _slices(plan: Node, database: Database, snapshot: str, count: int) -> list[Node]:
    """Shares by the numbers of rows: the order is not that of a key, or the key has nulls."""
    ordered = plan if is_ordered(plan) else analyze.top(plan)
    ((rows,),) = _read(database, lower_count(optimise(counted(plan)).plan), snapshot)
    edges = [rows * i // count for i in range(count + 1)]
    return [sliced(ordered, start, end - start) for start, end in pairwise(edges)]


def _read(database: Database, statement: Statement, snapshot: str) -> list[tuple[Any, ...]]:
    batches = database.session.read_bulk(statement.sql, statement.parameters, snapshot=snapshot)
    return [row for batch in batches for row in zip(*batch.to_pydict().values(), strict=True)]
