"""One view of the database, shared by readers on several connections and in several processes.

PostgreSQL lets a transaction give its view a name, under which others can import it for as long as that
transaction lasts. A connection of its own holds it, and nothing else runs there.
"""

import os
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Self

from djflow.backend.report import report_of
from djflow.errors import SnapshotGoneError
from djflow.sql.identifiers import literal

if TYPE_CHECKING:
    import psycopg

_BEGIN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_BEGIN_NOW: Final = "BEGIN READ ONLY"
_NO_SUCH_SNAPSHOT: Final = frozenset({"22023", "42704"})
_HAS_TRANSACTION_TIMEOUT: Final = 170000


class Snapshot:
    """The database as it was when the snapshot was made, until it is closed or no longer referred to.

    While it lives, the server keeps the rows that others delete meanwhile.
    """

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        """`connection` is in autocommit mode, used for nothing else, and closed with the snapshot."""
        connection.execute("SET idle_in_transaction_session_timeout = 0")
        if connection.info.server_version >= _HAS_TRANSACTION_TIMEOUT:
            connection.execute("SET transaction_timeout = 0")
        connection.execute(_BEGIN)
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None  # noqa: S101 - the function gives one row
        self.name: Final[str] = row[0]
        self._connection = connection
        self._finalizer = weakref.finalize(self, _end, connection, os.getpid())

    def close(self) -> None:
        """Let the view go; who reads by its name from now on gets `SnapshotGoneError`."""
        import psycopg

        if self._finalizer.alive:
            with suppress(psycopg.Error):  # it broke: so the view has ended already
                self._connection.execute("ROLLBACK")  # closing alone is not waited for
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _end(connection: "psycopg.Connection[Any]", process: int) -> None:
    if os.getpid() == process:  # the socket of a forked child is its parent's
        connection.close()


def enter(connection: Any, name: str | None) -> None:
    """Begin a transaction that reads, on an ADBC connection in autocommit mode.

    It sees the snapshot of that name; for None, the database as it is. Raises `SnapshotGoneError` where
    the snapshot has ended.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN_NOW if name is None else _BEGIN)
        if name is not None and not _imports(cursor, name):
            # Outside of the handler: the driver's error cannot be sent to another process.
            raise SnapshotGoneError(name)


def _imports(cursor: Any, name: str) -> bool:
    import adbc_driver_manager

    try:
        cursor.execute(f"SET TRANSACTION SNAPSHOT {literal(name)}")
    except adbc_driver_manager.Error as error:
        if report_of(error).sqlstate in _NO_SUCH_SNAPSHOT:
            return False
        raise
    return True


def leave(connection: Any) -> None:
    """End the transaction that `enter` began."""
    with connection.cursor() as cursor:
        cursor.execute("COMMIT")
