"""The record of objects: written before they are, so that whatever is left behind is known.

An object is written inside the transaction of its row, under a record that is committed before, over another
connection. The record names the transaction. A collector leaves an object alone while the server says that
one of its transactions runs, and looks for rows in a snapshot taken after they ended: between these there is
no moment in which a row could come unseen. A process that is killed takes its transaction along.

Contents that rows share are recorded anew by each writer before it looks whether the store has them. A
collector condemns a content under the lock of its record before it removes it: a writer either comes before,
and the collector sees the writer, or after, and writes the content under another path. No lock is held while
an object is removed, and none could be: the removal goes on where the connection of the collector breaks.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from djflow.backend.session import Session
from djflow.errors import DjflowError, QueryError, StorageError
from djflow.model.names import TableName
from djflow.sql import objects as sql
from djflow.sql.objects import OBJECTS_TABLE, Kind
from djflow.tables.objects.aside import aside
from djflow.tables.objects.home import take_over
from djflow.tables.objects.removal import remove_each
from djflow.tables.rights import grants

if TYPE_CHECKING:
    from djflow.relation.database import Database


def record_owned(database: "Database", schema: str, store: str, paths: Sequence[str]) -> None:
    """Record objects that one row each will own, before they are written; a rollback removes them.

    Raises `QueryError` outside of the transaction that will insert the rows, `AccessError` where the role
    may not write to the schema's record.
    """
    if not paths:
        return
    if refused := _record(database.session, schema, store, paths, Kind.OWNED):
        raise StorageError(f"{refused[0]!r} was removed by a collector while it was being written.").suggest(
            "Write it again, and collect with a grace period that is longer than a write takes."
        )
    database.session.after_rollback(lambda: take_back(database, schema, store, paths))


def record_held(database: "Database", schema: str, store: str, paths: Sequence[str], writer: str) -> None:
    """Record objects that one row each will own, for as long as the transaction `writer` runs.

    It is another one than that of the rows, which records them anew with `record_owned`.
    Raises `AccessError` where the role may not write to the schema's record.
    """
    other = aside(database.session)
    create_record(other, schema)
    other.execute(sql.record_objects(schema), [store, list(paths), str(Kind.OWNED), writer])


def take_back(database: "Database", schema: str, store: str, paths: Sequence[str]) -> None:
    """Remove objects that no row will have, with their records.

    What cannot be removed now stays recorded, and is collected later.
    """
    with suppress(DjflowError):
        gone = remove(database, store, paths)
        other = aside(database.session)
        if has_record(other, schema):
            other.execute(sql.forget_objects(schema), [store, gone])


def remove(database: "Database", store: str, paths: Sequence[str]) -> list[str]:
    """Remove objects, which stay recorded; the paths of those for which it succeeded."""
    with suppress(DjflowError):
        reasons = remove_each(database.open_store(store), paths)
        return [path for path, reason in zip(paths, reasons, strict=True) if reason is None]
    return []


def record_shared(database: "Database", schema: str, store: str, paths: Sequence[str]) -> list[str]:
    """Record contents that rows share, before looking which of them the store has; the paths to use.

    They stay after a rollback, since other rows may refer to them by then: a collector finds out.
    Raises as `record_owned` does.
    """
    return record_again(database, schema, store, paths, Kind.SHARED)


def record_again(
    database: "Database", schema: str, store: str, paths: Sequence[str], kind: Kind
) -> list[str]:
    """Record objects that there may have been before, and rows may have again; the paths to use.

    Another one than the given takes the place of what is being removed, or was.
    Raises as `record_owned` does.
    """
    chosen = {path: path for path in paths}
    attempted, generation = list(chosen), 1
    while attempted:
        refused = set(_record(database.session, schema, store, [chosen[path] for path in attempted], kind))
        attempted, generation = [path for path in attempted if chosen[path] in refused], generation + 1
        chosen.update({path: _another(path, generation) for path in attempted})
    return [chosen[path] for path in paths]


def _another(path: str, generation: int) -> str:
    """A path beside another one, with the same extension.

    >>> _another("_schema/lab/scan/id=0.5/a_x.tar.gz", 2), _another("_hash/lab/abc", 3)
    ('_schema/lab/scan/id=0.5/a_x-2.tar.gz', '_hash/lab/abc-3')
    """
    folder, slash, name = path.rpartition("/")
    stem, dot, extension = name.partition(".")
    return f"{folder}{slash}{stem}-{generation}{dot}{extension}"


def has_record(session: Session, schema: str) -> bool:
    """Whether the schema has a record of objects."""
    [(_, is_there)] = session.execute(sql.PLACE, [schema, OBJECTS_TABLE])
    return bool(is_there)


def create_record(session: Session, schema: str) -> None:
    """Make the schema's record of objects, unless it is there.

    Raises `AccessError` where the role may not create tables in the schema.
    """
    if has_record(session, schema):
        return
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [f"djflow objects {schema}"])
        if not has_record(session, schema):
            for statement in sql.create_objects_table(schema):
                session.execute(statement)
            take_over(session, [schema])
            grants.extend(session, schema, [TableName(schema, OBJECTS_TABLE)])


def _record(session: Session, schema: str, store: str, paths: Sequence[str], kind: Kind) -> list[str]:
    """Record objects; those that cannot be, since they are being removed."""
    if not session.in_transaction:
        raise QueryError("Objects are recorded inside the transaction that inserts their rows.")
    [(writer, own)] = session.execute(sql.WRITER, [schema])
    other = aside(session)
    [(seen, is_there)] = other.execute(sql.PLACE, [schema, OBJECTS_TABLE])
    if own != seen:
        # A schema that this transaction itself has made is nobody else's yet, and its record goes with it.
        other, is_there = session, False
    if not is_there:
        create_record(other, schema)
    refused = other.execute(sql.record_objects(schema), [store, list(paths), str(kind), writer])
    return [path for (path,) in refused]
