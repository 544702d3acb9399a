"""Which rows a delete takes: all that depend on the first ones, whoever imported their tables."""

from collections.abc import Mapping
from dataclasses import dataclass

from djflow.backend.session import Session
from djflow.engine import execute, run
from djflow.engine.masters import cascaded_with_masters
from djflow.engine.settle import KeptKeys
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.lower_sql import lower_delete
from djflow.planner.nodes import Node, Restrict, Scan, SemiJoin
from djflow.planner.propagate import cascaded, orphaning
from djflow.planner.propagate.edges import at_or_below
from djflow.planner.rewriter import optimise
from djflow.tables.deletion.integrity import PartIntegrity, check_masters


@dataclass(frozen=True, slots=True)
class Cascade:
    """Rows of some tables, parents first, such that nothing else refers to them."""

    seed: TableName
    rows: Mapping[TableName, Node]
    catalog: Catalog

    def delete(self, session: Session) -> dict[TableName, int]:
        """Delete the rows, those that refer to others first; how many there were in each table."""
        deleted = {
            name: delete_rows(session, self.catalog[name], self.rows[name])
            for name in reversed(list(self.rows))
        }
        return {name: deleted[name] for name in self.rows}


def plan_cascade(
    session: Session, catalog: Catalog, seed: TableName, rows: Node, policy: PartIntegrity
) -> Cascade:
    """What goes with some rows of a table. Must run in the transaction that deletes it.

    Raises `PartIntegrityError` where the policy forbids what would be left.
    """
    settle = KeptKeys(session)
    if not _is_stable(catalog, seed, rows):
        rows = settle(catalog[seed], rows)
    if policy is PartIntegrity.CASCADE:
        plans = cascaded_with_masters(session, catalog, {seed: rows}, settle)
    else:
        plans = cascaded(catalog, {seed: rows}, settle)
        if policy is PartIntegrity.ENFORCE:
            check_masters(session, dict(orphaning(catalog, plans, [seed], settle)))
    return Cascade(seed, plans, catalog)


def delete_rows(session: Session, table: Table, rows: Node) -> int:
    """Delete rows of a table and nothing else; how many."""
    statement = lower_delete(optimise(run.resolved(session, rows)).plan, table)
    return execute.write(session, statement, str)


def _is_stable(catalog: Catalog, seed: TableName, rows: Node) -> bool:
    """Whether a selection gives the same rows until they are deleted, whatever goes before them."""
    if rows.has_local or rows.holds_rows or not _is_selection(rows):
        return False
    others = {table.name for table in rows.tables} - {seed}
    return not others or others.isdisjoint(table.name for table in at_or_below(catalog, [seed]))


def _is_selection(rows: Node) -> bool:
    while isinstance(rows, Restrict | SemiJoin):
        rows = rows.source
    return isinstance(rows, Scan)
