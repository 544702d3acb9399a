"""A relation as a `polars.LazyFrame` that asks the server for no more than the query over it needs."""

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from djflow.backend.session import Session
from djflow.engine.compile import compile_plan
from djflow.engine.execute import schema_of, stream
from djflow.engine.key_ranges import sliced
from djflow.engine.run import streamed
from djflow.errors import DataTypeError, QueryError
from djflow.model.table import Attribute, Heading
from djflow.model.types import CodecType
from djflow.planner import analyze
from djflow.planner.nodes import Node, Project, Restrict, is_ordered
from djflow.planner.polars_expressions import read_condition
from djflow.planner.scalar import Column, IsNull, Not, conjunction
from djflow.relation.database import Database
from djflow.relation.fetch import polars_frame

if TYPE_CHECKING:
    import polars as pl

# Values of a codec column that are looked at to tell its type.
_SAMPLE: Final = 32
# Seconds that a query may stay open at the server after Polars has dropped it.
_PAUSE: Final = 0.2
_PAUSES_AT_EXIT: Final = 25


def lazy_frame(plan: Node, database: Database) -> "pl.LazyFrame":
    """The rows of a plan as a lazy frame; each collection of it reads them anew.

    Raises `QueryError` inside a transaction: Polars reads over other connections, which do not see its rows.
    """
    from polars.io.plugins import register_io_source

    database.before_query(plan)  # first: where rows of these tables are held back, a transaction begins
    _check_outside(database)
    source = LazySource(plan, database)
    return register_io_source(
        source.read,
        schema=lambda: source.schema,
        is_pure=True,  # within one query: equal scans are read once, and so agree
        explain_name="djflow",
    )


def _check_outside(database: Database) -> None:
    if database.in_transaction:
        raise QueryError(
            "A lazy frame reads over connections of its own, which do not see what this transaction wrote. "
            "Use to_polars().lazy(), or make it outside of the transaction."
        )


@dataclass(frozen=True)
class LazySource:
    """What Polars asks for rows: the plan with its restrictions, columns and limit is one statement."""

    plan: Node
    database: Database

    @cached_property
    def schema(self) -> "pl.Schema":
        """The types that `to_polars` gives; those of codec columns are told from their first values."""
        heading = self.plan.heading
        found = dict(polars_frame(schema_of(heading).empty_table(), heading, self.database).schema)
        encoded = [a.name for a in heading if isinstance(a.type, CodecType)]
        return _schema(found | {name: self._sampled(name) for name in encoded})

    def _sampled(self, name: str) -> "pl.DataType":
        attribute = self.plan.heading[name]
        present = Restrict(self.plan, Not(IsNull(Column(name, attribute.stored))))
        rows = pa.Table.from_batches(
            _batches(self.database.session, _columns(analyze.top(present, limit=_SAMPLE), [name]))
        )
        return polars_frame(rows, Heading((attribute,)), self.database).schema[name]

    def read(
        self,
        with_columns: Sequence[str] | None,
        predicate: "pl.Expr | None",
        n_rows: int | None,
        batch_size: int | None,
    ) -> Iterator["pl.DataFrame"]:
        """The frames that Polars asked for; closing the iterator stops the server's query."""
        wanted = self.plan.heading.names if with_columns is None else with_columns
        return ended_with_its_query(self._frames(wanted, predicate, n_rows, batch_size))

    def _frames(
        self, columns: Sequence[str], predicate: "pl.Expr | None", n_rows: int | None, batch_size: int | None
    ) -> "Generator[pl.DataFrame, None, None]":
        plan, rest = pushed_down(self.plan, columns, predicate, n_rows)
        for batch in _batches(self.database.session, plan):
            frame = self._frame(batch, plan.heading)
            if rest is not None:
                frame = frame.filter(rest)
            yield from frame.iter_slices(batch_size) if batch_size and frame.height else (frame,)

    def _frame(self, batch: pa.RecordBatch, heading: Heading) -> "pl.DataFrame":
        frame = polars_frame(pa.Table.from_batches([batch]), heading, self.database)
        changed = [a for a in heading if frame.schema[a.name] != self.schema[a.name]]
        return frame.with_columns(self._conformed(frame[a.name], a) for a in changed) if changed else frame

    def _conformed(self, values: "pl.Series", attribute: Attribute) -> "pl.Series":
        """Values of a codec column, which take another form in a batch than in the first rows."""
        import polars as pl

        wanted = self.schema[attribute.name]
        if values.null_count() == len(values):
            return pl.Series(attribute.name, [None] * len(values), dtype=wanted)
        if isinstance(wanted, pl.List) and isinstance(values.dtype, pl.Array):
            return values.arr.to_list().cast(wanted)
        raise DataTypeError(
            "the codec's values do not all have one form, as a lazy frame needs",
            column=attribute.name,
            expected=f"{wanted} as in the first rows; leave the column out, or use to_polars()",
            value=values.dtype,
        )


@dataclass(slots=True)
class _Reading:
    """What of an iterator is known to the thread that sees to its end, which must not refer to it."""

    # No event: the iterator can be closed wherever Python frees memory, as inside of an event's methods.
    is_open: threading.Lock = field(default_factory=threading.Lock)
    is_inside: bool = True


def ended_with_its_query(frames: "Generator[pl.DataFrame, None, None]") -> "Iterator[pl.DataFrame]":
    """The same frames for Polars to read; they are closed soon after it has dropped them.

    Polars reads ahead, so that it drops an iterator in a thread of its own after its query has ended. Such
    a thread leaves the drop to the next call of Polars in any thread of the process, and none may ever come.
    """
    reading = _Reading()
    reading.is_open.acquire()
    # No daemon: a process that ends while a thread of Polars is inside of Python code is aborted.
    thread = threading.Thread(target=_see_to_the_end, args=(reading,), daemon=False)
    try:
        with suppress(RuntimeError):  # no thread can begin once the process ends
            thread.start()
        with closing(frames):
            for frame in frames:
                reading.is_inside = False
                yield frame
                reading.is_inside = True
    finally:
        reading.is_open.release()


def _see_to_the_end(reading: _Reading) -> None:
    import polars as pl

    while not reading.is_open.acquire(timeout=_PAUSE) and threading.main_thread().is_alive():
        pl.thread_pool_size()  # any call will do
    for _ in range(_PAUSES_AT_EXIT):
        if not reading.is_inside or reading.is_open.acquire(timeout=_PAUSE):
            return
        pl.thread_pool_size()


def pushed_down(
    plan: Node, columns: Sequence[str], predicate: "pl.Expr | None", n_rows: int | None
) -> "tuple[Node, pl.Expr | None]":
    """The plan with what the server can do of a scan, and the part of the predicate that is left.

    Polars counts `n_rows` before it applies the predicate.
    """
    if is_ordered(plan):  # a restriction would lose the order
        return _columns(plan if n_rows is None else sliced(plan, 0, n_rows), columns), predicate
    source = plan if n_rows is None else analyze.top(plan, limit=n_rows)
    conditions, rest = read_condition(predicate, plan.heading) if predicate is not None else ((), None)
    if conditions:
        source = Restrict(source, conjunction(conditions))
    return _columns(source if is_ordered(source) else analyze.top(source), columns), rest


def _columns(plan: Node, names: Sequence[str]) -> Node:
    heading = plan.heading
    return Project(plan, tuple((heading[name], Column(name, heading[name].stored)) for name in names))


def _batches(session: Session, plan: Node) -> Iterator[pa.RecordBatch]:
    if plan.has_local:
        return streamed(session, plan)
    # Never over psycopg: it would connect each of the threads in which Polars asks.
    return stream(session, replace(compile_plan(plan), is_small=False), streaming=True)


def _schema(types: "dict[str, pl.DataType]") -> "pl.Schema":
    import polars as pl

    return pl.Schema(types)
