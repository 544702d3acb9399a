"""The queue of a table in the database: looked for, created, and completed where DataJoint made it."""

from dataclasses import dataclass
from typing import Final

from djflow.backend.introspect import enums_of, relation_names
from djflow.backend.session import Session
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql import job_counts, jobs
from djflow.sql.enums import plan_enums
from djflow.sql.identifiers import qualified
from djflow.sql.job_changes import JobTable
from djflow.sql.lineage import (
    LINEAGE_TABLE,
    create_lineage_table,
    delete_lineage,
    insert_lineage,
    lineage_columns,
)
from djflow.tables.objects.aside import aside
from djflow.tables.rights import grants

_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '10s'"


@dataclass(frozen=True, slots=True)
class Place:
    """What the database has of a queue."""

    jobs: JobTable
    has_own_columns: bool
    is_counted: bool

    @property
    def is_ready(self) -> bool:
        """Whether djflow's workers can use it."""
        return self.has_own_columns and self.is_counted


def find_queue(session: Session, target: Table) -> Place | None:
    """What there is of a table's queue; None where there is none."""
    name = jobs.queue_name(target.name)
    found = session.execute(jobs.PLACE, [name.schema, name.table, job_counts.TRIGGER])
    if not found:
        return None
    [(status_type, has_own_columns, is_counted)] = found
    table = JobTable(name, jobs.key_names(target), status_type, jobs.padded_names(target))
    return Place(table, has_own_columns, is_counted)


def create_queue(session: Session, target: Table) -> Place:
    """A table's queue, created or completed where needed, safely when several processes do so at once.

    It is committed at once, whatever becomes of a transaction around, unless that has made the table itself.
    Raises `AccessError` where the role may not create tables in the schema, or the queue is another role's.
    """
    found = find_queue(session, target)
    if found is not None and found.is_ready:
        return found
    is_inside = session.in_transaction
    other = _creating_session(session, target)
    with other.transaction():
        if other is not session or not is_inside:
            # A transaction around may itself be what reads the queue, and would wait for its own end.
            other.execute(_LOCK_TIMEOUT)
        other.execute(jobs.IN_TURN, [target.name.schema])
        found = find_queue(other, target)
        if found is None:
            _create(other, target)
        if found is None or not found.has_own_columns:
            other.execute(jobs.add_own_columns(jobs.queue_name(target.name)))
        if found is None or not found.is_counted:
            _count(other, target)
    made = find_queue(other, target)  # the view of a transaction around may be older
    assert made is not None  # noqa: S101 - it was created above
    return made


def drop_queue(session: Session, queue: TableName) -> None:
    """Drop a queue with its jobs and what is recorded of it. Raises `AccessError` if it is another role's."""
    with session.transaction():
        for statement in jobs.drop_queue(queue):
            session.execute(statement)
        if LINEAGE_TABLE in relation_names(session.connection, queue.schema):
            session.execute(delete_lineage(queue.schema), [[queue.table]])


def _creating_session(session: Session, target: Table) -> Session:
    if not session.in_transaction:
        return session
    other = aside(session)
    [(is_there,)] = other.execute(jobs.IS_THERE, [qualified(target.name)])
    return other if is_there else session


def _create(session: Session, target: Table) -> None:
    schema, queue = target.name.schema, jobs.lineage_of_queue(target)
    wanted = jobs.queue_enums(target)
    enums = plan_enums(wanted, enums_of(session.connection, sorted({enum.schema for enum in wanted})))
    statements = [
        *map(jobs.create_type_if_missing, enums.statements),
        *jobs.create_queue(target, enums.names, relation_names(session.connection, schema)),
        create_lineage_table(schema),
    ]
    for statement in statements:
        session.execute(statement)
    session.execute(delete_lineage(schema), [[queue.name.table]])
    session.execute(insert_lineage(schema), lineage_columns([queue]))
    grants.extend(session, schema, [queue.name])


def _count(session: Session, target: Table) -> None:
    schema, queue = target.name.schema, jobs.queue_name(target.name)
    counts = job_counts.counts_table(schema)
    [(is_there,)] = session.execute(jobs.IS_THERE, [qualified(counts)])
    for statement in job_counts.create_counts(schema) if not is_there else ():
        session.execute(statement)
    for statement in job_counts.count_jobs(queue):
        session.execute(statement)
    if not is_there:
        grants.extend(session, schema, [counts])
