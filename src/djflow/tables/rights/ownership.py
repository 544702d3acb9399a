"""Rows that belong to the role which inserted them, so that nobody changes a colleague's by accident."""

from collections.abc import Iterable
from typing import Final

from djflow.backend.session import Session
from djflow.errors import InvalidArgumentError, UnknownRoleError
from djflow.model.names import TableName
from djflow.sql import ownership as sql

_IN_TURN: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"


def protect_rows(session: Session, tables: Iterable[TableName], owner: str | None = None) -> None:
    """Let each row of the tables belong to the role that inserts it; rows so far go to `owner`, or to you.

    From then on an update or delete that meets a colleague's row raises `OwnershipError` and changes
    nothing, whatever program sends it. Members of the row's role and the owner of the table may change it.
    Doing it twice changes nothing. Raises `AccessError` for tables of others, `UnknownRoleError`.
    """
    names = sorted(set(tables))
    with session.transaction():
        [(me,)] = session.execute("SELECT current_user::text")
        heir = me if owner is None else owner
        _check_role(session, heir)
        for schema in sorted({name.schema for name in names}):
            session.execute(sql.create_owner_check(schema))
        for name in names:
            for statement in sql.protect(name, heir):
                session.execute(statement)


def extend(session: Session, created: Iterable[TableName]) -> None:
    """Protect those parts among tables just created whose masters are protected."""
    parts = sorted(name for name in created if name.master is not None)
    if not parts:
        return
    masters = [name.master for name in parts if name.master is not None]
    places = [[name.schema for name in masters], [name.table for name in masters]]
    protected = {TableName(*found) for found in session.execute(sql.PROTECTED, places)}
    [(me,)] = session.execute("SELECT current_user::text")
    for part in parts:
        if part.master in protected:
            # The master's schema has the check already, perhaps of another owner.
            for statement in sql.protect(part, me):
                session.execute(statement)


def in_turn(session: Session, schema: str) -> None:
    """Let nobody else declare tables in a schema, parts of protected ones, until the transaction ends."""
    session.execute(_IN_TURN, [f"djflow declare {schema}"])


def unprotect_rows(session: Session, tables: Iterable[TableName]) -> None:
    """End the protection; who inserted what stays known, should it begin again."""
    with session.transaction():
        for name in sorted(set(tables)):
            for statement in sql.unprotect(name):
                session.execute(statement)


def give_rows(session: Session, tables: Iterable[TableName], old: str, new: str) -> None:
    """Give all rows of one role to another, as when a colleague leaves.

    Raises `OwnershipError` unless the rows are yours to give, and `UnknownRoleError`.
    """
    with session.transaction():
        _check_role(session, new)
        for name in sorted(set(tables)):
            session.execute(sql.give_rows(name), [old, new])


def _check_role(session: Session, role: str) -> None:
    if not isinstance(role, str):
        raise InvalidArgumentError(f"A role is given by its name, not as {role!r}.")
    known = [name for (name,) in session.execute("SELECT rolname::text FROM pg_catalog.pg_roles")]
    if role not in known:
        raise UnknownRoleError(role, known)
