"""Rows that wait in a temporary table, which a transaction makes once for each table it writes to so."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from djflow.backend.session import Session
from djflow.errors import DuplicateError, IntegrityError
from djflow.model.table import Table
from djflow.relation.database import Database
from djflow.sql import staging as sql
from djflow.sql.rows import OnConflict
from djflow.tables.conflicts import check_match

# Removed rows take room until the transaction ends; a removed table keeps its locks until then.
_FEW_ROWS: Final = 1000
_ATTEMPTS: Final = 5


def stage(session: Session, table: Table) -> None:
    """Have an empty temporary table for rows of a table. Must run in the transaction that inserts them."""
    [(there,)] = session.execute(sql.select_staging(table))
    if not there:
        session.execute(sql.create_staging(table))
        if not all(column.nullable for column in table.columns):
            session.execute(sql.allow_nulls(table))


def unstage(session: Session, table: Table, rows: int) -> None:
    """Remove the rows, of which there were so many."""
    session.execute(sql.empty_staging(table) if rows <= _FEW_ROWS else sql.drop_staging(table))


def merge(table: Table, names: tuple[str, ...], database: Database, policy: OnConflict) -> None:
    """Bring the staged rows into the table."""
    session = database.session
    for _ in range(_ATTEMPTS):
        with other_unique_keys(table, policy):
            session.execute(sql.merge_staging(table, names, policy))
        if policy is not OnConflict.MATCH:
            return
        # Behind the insertion: rows that others just wrote, and equal keys among the given, are seen, too.
        check_match(table, names, database)
        # What was there may have been deleted before it was compared.
        if not session.execute(sql.select_absent(table)):
            return
    raise IntegrityError(
        f"{table.name} takes these rows, but does not have their keys afterwards: a trigger changes rows, or "
        "leaves them out. Nothing was inserted; on_conflict='match' is not for such a table.",
        table=str(table.name),
    )


@contextmanager
def other_unique_keys(table: Table, policy: OnConflict) -> Iterator[None]:
    """A duplicate that a policy on primary keys meets is one in another unique index: say so."""
    try:
        yield
    except DuplicateError as error:
        if policy is OnConflict.ERROR:
            raise
        raise DuplicateError(
            f"{table.name} has another row already with {error.key or error.constraint}, which must be "
            f"unique. on_conflict={policy.value!r} is about the primary key only.",
            table=str(table.name),
            constraint=error.constraint,
            key=error.key,
        ) from error
