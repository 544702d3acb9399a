"""The statements of an alteration, what is recorded of it, and what it leaves without use."""

from collections.abc import Callable, Iterable

from djflow.backend.introspect import relation_names
from djflow.backend.session import Session
from djflow.errors import QueryError
from djflow.model.names import TableName
from djflow.sql.alteration.delta import Delta, columns_of
from djflow.sql.alteration.unused_enums import UNUSED, USED, drop_types
from djflow.sql.ddl import drop_tables
from djflow.sql.lineage import create_lineage_table, delete_lineage, insert_lineage, lineage_columns
from djflow.tables.alteration.history import record
from djflow.tables.alteration.prepare import Prepared


def carry_out(session: Session, prepared: Prepared, insert_contents: Callable[[], object]) -> None:
    """Change the tables that exist and create those that do not; `insert_contents` fills the latter.

    Run it inside a transaction that holds locks on the tables. Raises the typed errors of what the server
    refuses, with the statement in a note.
    """
    used = session.execute(USED, _places(prepared))
    _run(session, prepared.statements.shapes)
    by_schema: dict[str, list[Delta]] = {}
    for name, delta in prepared.target.deltas.items():
        by_schema.setdefault(name.schema, []).append(delta)
    for schema, deltas in by_schema.items():
        _drop_queues(session, schema, deltas)
    _rewrite_lineage(session, prepared)
    insert_contents()
    _run(session, prepared.statements.references)
    # Who declares tables looks for enum types under the locks that are held here.
    types = [[oid for (oid,) in used], list(by_schema)]
    if unused := session.execute(UNUSED, types) if used else []:
        session.execute(drop_types([TableName(*name) for name in unused]))
    record(session, prepared)


def _places(prepared: Prepared) -> list[list[str]]:
    return [[name.schema for name in prepared.tables], [name.table for name in prepared.tables]]


def _run(session: Session, statements: Iterable[str]) -> None:
    for statement in statements:
        try:
            session.execute(statement)
        except QueryError as error:
            error.suggest(f"All of the alteration was undone. It failed at: {statement}")
            raise


def _rewrite_lineage(session: Session, prepared: Prepared) -> None:
    tables = [*(delta.new for delta in prepared.target.deltas.values()), *prepared.target.created]
    for schema in dict.fromkeys(table.name.schema for table in tables):
        its = [table for table in tables if table.name.schema == schema]
        session.execute(create_lineage_table(schema))
        session.execute(delete_lineage(schema), [[table.name.table for table in its]])
        session.execute(insert_lineage(schema), lineage_columns(its))


def _drop_queues(session: Session, schema: str, deltas: Iterable[Delta]) -> None:
    """Jobs are listed by primary key: a queue of former keys is of no use, and is made again when needed."""
    there = relation_names(session.connection, schema)
    queues = [f"~~{delta.name.table.lstrip('_#')}" for delta in deltas if _has_other_key(delta)]
    gone = [TableName(schema, queue) for queue in queues if queue in there]
    if gone:
        session.execute(drop_tables(gone))


def _has_other_key(delta: Delta) -> bool:
    before, after = columns_of(delta.old), columns_of(delta.new)
    old = {(name, before[name].stored) for name in delta.old.primary_key}
    return old != {(name, after[name].stored) for name in delta.new.primary_key}
