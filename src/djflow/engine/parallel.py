"""Large tables are read whole over several connections at once, each a range of pages, in one snapshot."""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa

from djflow.backend.session import Session
from djflow.engine.compile import Compiled
from djflow.engine.execute import stream
from djflow.errors import ConnectionFailedError
from djflow.model.table import Table
from djflow.planner.lower_sql import Statement
from djflow.planner.nodes import Node, Project, Restrict, Scan
from djflow.planner.scalar import has_matches
from djflow.sql.identifiers import qualified

# Below these, opening connections costs more than it saves (docs/performance.md).
MIN_PAGES: Final = 4_000
MIN_ROWS: Final = 300_000
MAX_READERS: Final = 4

_SIZE: Final = "SELECT pg_relation_size(to_regclass($1)) / current_setting('block_size')::bigint"


@dataclass(frozen=True, slots=True)
class Text:
    """A parameter in text form."""

    value: str
    type: pa.DataType = pa.string()  # noqa: RUF009 - a constant


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages of a table from `start` up to, not including, `end`; None is open.

    >>> PageRange(5, None).conditions("t1")
    ("t1.ctid >= '(5,0)'::tid",)
    """

    start: int | None
    end: int | None

    def conditions(self, alias: str) -> tuple[str, ...]:
        """The SQL that keeps the rows of these pages."""
        bounds = ((">=", self.start), ("<", self.end))
        return tuple(f"{alias}.ctid {op} '({page},0)'::tid" for op, page in bounds if page is not None)


def plan_ranges(pages: int, readers: int) -> tuple[PageRange, ...]:
    """Ranges of about equal size that cover all pages, also those added since they were counted.

    >>> plan_ranges(10, 2)
    (PageRange(start=None, end=5), PageRange(start=5, end=None))
    """
    edges = [None, *(pages * i // readers for i in range(1, readers)), None]
    return tuple(PageRange(start, end) for start, end in pairwise(edges))


def scanned_table(plan: Node) -> Table | None:
    """The only table that a plan reads, row by row; None where it does more.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> scanned_table(Empty(Heading(()))) is None
    True
    """
    match plan:
        case Scan(table):
            return table
        case Restrict(source, condition) if not has_matches(condition):
            return scanned_table(source)
        case Project(source, columns) if not any(has_matches(expression) for _, expression in columns):
            return scanned_table(source)
        case _:
            return None


def whole(session: Session, compiled: Compiled) -> Iterable[pa.RecordBatch]:
    """All batches of a plan, for a result that is held in memory anyway.

    They come over as many connections as pay; in the order in which one would give them.
    """
    readers = readers_for(session, compiled)
    if not readers:
        return stream(session, compiled)
    try:
        return _in_parallel(session, compiled, readers)
    except ConnectionFailedError:  # the server may have no connection to spare
        return stream(session, compiled)


def readers_for(session: Session, compiled: Compiled) -> tuple[PageRange, ...]:
    """The ranges of pages to be read at once; none where one reader does as well."""
    table = scanned_table(compiled.optimised)
    readers = min(MAX_READERS, os.cpu_count() or 1)
    if table is None or compiled.is_small or session.in_transaction or readers == 1:
        return ()
    pages = int(session.query_rows(_SIZE, (Text(qualified(table.name)),))[0][0] or 0)
    if pages < MIN_PAGES or not _reads_most(session, compiled.statement):
        return ()
    return plan_ranges(pages, readers)


def _reads_most(session: Session, statement: Statement) -> bool:
    """Whether the server expects to go through the table in order and to send many rows."""
    rows = session.query_rows(f"EXPLAIN (FORMAT JSON) {statement.sql}", statement.parameters)
    expected: dict[str, Any] = rows[0][0][0]["Plan"]
    return bool(expected["Node Type"] == "Seq Scan" and expected["Plan Rows"] >= MIN_ROWS)


def _in_parallel(
    session: Session, compiled: Compiled, ranges: Sequence[PageRange]
) -> Iterable[pa.RecordBatch]:
    with session.snapshot() as snapshot, ThreadPoolExecutor(len(ranges)) as readers:

        def read(pages: PageRange) -> list[pa.RecordBatch]:
            part = replace(compiled, statement=_within(compiled.statement, pages))
            return list(stream(session, part, snapshot=snapshot.name))

        return [batch for batches in readers.map(read, ranges) for batch in batches]


def _within(statement: Statement, pages: PageRange) -> Statement:
    select = statement.select
    alias = select.source.rpartition(" AS ")[2]
    return replace(statement, select=replace(select, where=(*select.where, *pages.conditions(alias))))
