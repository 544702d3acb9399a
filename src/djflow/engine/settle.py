"""Find the keys of rows now, so that later plans refer to them: in the server, or here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import pyarrow as pa

from djflow.backend.session import Session
from djflow.engine import execute, run
from djflow.engine.execute import schema_of
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner import analyze
from djflow.planner.keyed import not_keyed
from djflow.planner.lower_sql import lower_insert
from djflow.planner.nodes import LocalFrame, Node, Scan, SemiJoin
from djflow.planner.propagate import Edge
from djflow.planner.rewriter import optimise
from djflow.sql.closure import closure
from djflow.sql.kept import analyze_kept, create_kept, fill_kept

_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class KeptKeys:
    """Keeps keys in temporary tables until the transaction ends, which must have begun."""

    session: Session

    def __call__(self, table: Table, rows: Node, edges: Sequence[Edge] = ()) -> Node:
        """The same rows, and those that they reach over edges, whatever becomes of what `rows` reads.

        The row of a table that holds one at most is the same as long as it is there.
        Raises `QueryError` where no key tells rows apart.
        """
        if table.is_singleton:
            return rows
        key = _key(table)
        kept = self._kept(table, rows, edges)
        return SemiJoin(Scan(table), Scan(kept), key)

    def _kept(self, table: Table, rows: Node, edges: Sequence[Edge]) -> Table:
        before = {name for edge in edges for _, name in edge.columns}
        columns = [a for a in table.heading if a.in_key or a.name in before]
        names = tuple(a.name for a in columns)
        name = f"djflow_kept_{next(_numbers)}"
        kept = Table(TableName("pg_temp", name), "", tuple(replace(a, default=None) for a in columns))
        session = self.session
        session.execute(create_kept(name, table.name, names))
        statement = lower_insert(optimise(run.resolved(session, rows)).plan, names)
        pairs = [edge.columns for edge in edges]

        def filling(select: str) -> str:
            reached = closure(table.name, names, select, pairs) if pairs else select
            return fill_kept(kept.name, names, reached)

        execute.write(session, statement, filling)
        session.execute(analyze_kept(kept.name))
        return kept


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """Brings keys here, for plans that outlive a transaction."""

    session: Session

    def __call__(self, table: Table, rows: Node, edges: Sequence[Edge] = ()) -> Node:
        """The rows as they are now, and those that they reach over edges.

        Raises `QueryError` where no key tells rows apart.
        """
        if table.is_singleton:
            return rows
        key = _key(table)
        with self.session.transaction():
            kept = KeptKeys(self.session)(table, rows, edges)
            keys = analyze.project(kept, (), {})
            frame = pa.Table.from_batches(run.whole(self.session, keys), schema_of(keys.heading))
        return SemiJoin(Scan(table), LocalFrame(frame, keys.heading), key)


def _key(table: Table) -> tuple[str, ...]:
    if not table.is_keyed:
        raise not_keyed(table.name)
    return table.heading.primary_key
