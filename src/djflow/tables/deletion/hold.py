"""Hold the rows that a delete takes, so that no other client changes which ones they are meanwhile.

Where each statement sees what others have committed by then, as by default, a row could stop being chosen
once what depends on it is gone. A transaction that sees one moment needs no locks: the server refuses.
"""

from collections.abc import Mapping
from typing import Final

from djflow.backend.session import Session
from djflow.engine import run
from djflow.engine.settle import KeptKeys
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.lower_sql import lower_insert
from djflow.planner.nodes import Node, SemiJoin
from djflow.planner.rewriter import optimise
from djflow.sql.identifiers import qualified
from djflow.sql.rows import lock_rows, lock_table
from djflow.tables.deletion.cascade import Cascade, plan_cascade
from djflow.tables.deletion.integrity import PartIntegrity

_MAY: Final = """
SELECT has_any_column_privilege(name::regclass, 'UPDATE'), has_table_privilege(name::regclass, 'DELETE')
FROM unnest($1::text[]) WITH ORDINALITY AS t(name, i) ORDER BY i
"""


def sees_one_moment(session: Session) -> bool:
    """Whether all statements of this transaction see the database as it was when it began."""
    [(level,)] = session.query_rows("SELECT current_setting('transaction_isolation')", ())
    return level in ("repeatable read", "serializable")


def held_cascade(
    session: Session, catalog: Catalog, seed: TableName, rows: Node, policy: PartIntegrity
) -> Cascade:
    """What goes with some rows of a table, none of which others can change until the transaction ends.

    Raises `PartIntegrityError` as `plan_cascade` does, `DeadlockError`, and `SerializationError`.
    """
    chosen = _held(session, catalog, seed, rows)
    # Parents first: what refers to rows that are held stays what it is, and is held in turn.
    _hold(session, catalog, plan_cascade(session, catalog, seed, chosen, policy).rows)
    return plan_cascade(session, catalog, seed, chosen, policy)


def _held(session: Session, catalog: Catalog, seed: TableName, rows: Node) -> Node:
    table, settle = catalog[seed], KeptKeys(session)
    if not _has_visible_key(table):
        _hold(session, catalog, {seed: rows})  # the whole table
        return rows
    first = settle(table, rows)
    _hold(session, catalog, {seed: first})
    # Some may have been changed before they were held.
    return settle(table, SemiJoin(rows, first, table.heading.primary_key))


def _has_visible_key(table: Table) -> bool:
    return table.is_keyed and not table.is_singleton


def _hold(session: Session, catalog: Catalog, rows: Mapping[TableName, Node]) -> None:
    rights = session.execute(_MAY, [[qualified(name) for name in rows]])
    for (name, plan), (may_update, may_delete) in zip(rows.items(), rights, strict=True):
        if may_update and _has_visible_key(catalog[name]):
            _hold_rows(session, catalog[name], plan)
        elif may_delete:
            # The server lets only those who may update rows lock single ones.
            session.execute(lock_table(name))


def _hold_rows(session: Session, table: Table, rows: Node) -> None:
    names = table.heading.primary_key
    statement = lower_insert(optimise(run.resolved(session, rows)).plan, names)
    shipped = statement.shipped(session.inline_values, lock_rows)
    session.write(lock_rows(statement.sql), statement.parameters, shipped)
