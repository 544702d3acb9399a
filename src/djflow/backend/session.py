"""A session: settings, and the connections to the server that they name.

psycopg owns transactions, control and writes; ADBC does bulk reads. Both open when first
needed. Connections belong to a thread and to a process: a forked child opens its own.
"""

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar
from weakref import WeakSet

import pyarrow as pa

from djflow.backend import rows
from djflow.backend.sqlstate import translate
from djflow.backend.statement import Parameters, ShippedStatement
from djflow.configuration import Settings
from djflow.errors import ConnectionFailedError, LostConnectionError

if TYPE_CHECKING:
    import psycopg

    from djflow.backend.adbc import AdbcPool
    from djflow.backend.embedded import EmbeddedServer
    from djflow.backend.settings import SettledStatement
    from djflow.backend.snapshot import Snapshot

T = TypeVar("T")
STREAM_BYTES: Final = 1 << 20
# Arrays of integers are as fast as a table up to about 700,000, of text to 100,000, in two columns to 50,000.
INLINE_VALUES: Final = 200_000
_open_sessions: Final["WeakSet[Session]"] = WeakSet()


@atexit.register
def _close_sessions() -> None:
    for session in list(_open_sessions):
        session.close()


class Session:
    """The way to one database. Safe to use from several threads; each has its own transaction.

    Everything opens lazily: making a session costs nothing. `inline_values` is how many values of
    a local frame travel as arrays; larger frames travel as temporary tables.
    """

    def __init__(self, settings: Settings, inline_values: int = INLINE_VALUES) -> None:
        self.settings, self.inline_values = settings, inline_values
        self._abandoned: list[object] = []
        self._reset()
        _open_sessions.add(self)

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.RLock()
        self._thread = threading.local()
        self._every: list[tuple[threading.Thread, psycopg.Connection[Any]]] = []
        self._pool: AdbcPool | None = None
        self._embedded: EmbeddedServer | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self.settings, self.inline_values)

    def __repr__(self) -> str:
        return f"Session({self._server})"

    @property
    def is_remote(self) -> bool:
        """Whether the settings name a server; otherwise the embedded one is used."""
        return self.settings.database.is_configured

    @property
    def _server(self) -> str:
        """Who, where and which database, without a password."""
        if self.is_remote:
            return self.settings.database.describe()
        return f"the embedded server of {self.settings.home}"

    def snapshot(self) -> "Snapshot":
        """The database as it is now, for readers on other connections, until it is closed."""
        from djflow.backend.snapshot import Snapshot

        connection = self._open()
        self._keep(connection, threading.main_thread())  # no thread's end closes it
        return Snapshot(connection)

    def conninfo(self) -> str:
        """The libpq connection string, password included: never show it.

        Starts the embedded server where no other is configured.
        """
        self._after_fork()
        if self.is_remote:
            return self.settings.database.conninfo().reveal()
        with self._lock:
            if self._embedded is None:
                from djflow.backend.embedded import EmbeddedServer

                self._embedded = EmbeddedServer(self.settings.home)
            return self._embedded.acquire()

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The psycopg connection of the calling thread, in autocommit mode outside `transaction()`."""
        self._after_fork()
        connection: psycopg.Connection[Any] | None = getattr(self._thread, "connection", None)
        if connection is None or _has_ended(connection):
            if connection is not None and self.in_transaction:
                raise LostConnectionError("The connection broke inside a transaction; it was rolled back.")
            connection = self._connect()
            self._thread.connection = connection
        return connection

    def _connect(self) -> "psycopg.Connection[Any]":
        connection = self._open()
        self._keep(connection, threading.current_thread())
        return connection

    def _open(self) -> "psycopg.Connection[Any]":
        import psycopg

        try:
            return psycopg.connect(self.conninfo(), autocommit=True, application_name="djflow")
        except psycopg.Error as error:
            raise translate(error, server=self._server) from None  # it can quote the password

    def _keep(self, connection: "psycopg.Connection[Any]", owner: threading.Thread) -> None:
        """Remember a connection, and close those of threads that have ended."""
        with self._lock:
            for thread, known in self._every:
                if not thread.is_alive():
                    known.close()
            self._every = [(thread, known) for thread, known in self._every if not known.closed]
            self._every.append((owner, connection))

    def _after_fork(self) -> None:
        if self._process != os.getpid():
            # The parent still uses these sockets: they are forgotten, not closed.
            self._abandoned.append((self._thread, self._every, self._pool, self._embedded))
            self._reset()

    # transactions

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside `transaction()`."""
        self._after_fork()
        return getattr(self._thread, "depth", 0) > 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside commit together, or not at all; nested blocks are savepoints."""
        import psycopg

        connection = self.connection
        outer: list[Callable[[], object]] = self._thread.undo if self.in_transaction else []
        undo: list[Callable[[], object]] = []
        self._thread.undo = undo
        self._thread.depth = getattr(self._thread, "depth", 0) + 1
        try:
            with connection.transaction():
                yield
        except BaseException as error:
            for action in reversed(undo):
                action()
            if isinstance(error, psycopg.Error):
                raise translate(error) from error
            raise
        else:
            outer.extend(undo)
        finally:
            self._thread.depth -= 1
            self._thread.undo = outer

    def after_rollback(self, action: Callable[[], object]) -> None:
        """Have `action` called if the current transaction, or one around it, rolls back."""
        self._thread.undo.append(action)

    # statements

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a control statement with `$1`, `$2`, ... and return its rows, if any."""
        import psycopg

        try:
            cursor = psycopg.RawCursor(self.connection).execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise translate(error) from error

    # Each statement may come with `shipped`, the same one with its large frames in temporary tables.

    def query_rows(
        self, sql: str, parameters: Parameters, shipped: ShippedStatement | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a small query; retried once on a fresh connection if the old one broke."""
        return self._retried(lambda: self._run(sql, parameters, shipped).fetchall())

    def write(self, sql: str, parameters: Parameters, shipped: ShippedStatement | None = None) -> int:
        """Run a statement that writes; the number of rows affected."""
        return self._run(sql, parameters, shipped).rowcount

    def _run(
        self, sql: str, parameters: Parameters, shipped: ShippedStatement | None
    ) -> "psycopg.RawCursor[Any]":
        if shipped is None:
            return rows.run(self.connection, sql, parameters)
        from djflow.backend.temporary import run_shipped

        return run_shipped(self.connection, sql, parameters, shipped)

    def copy(self, statement: str, payload: Iterable[bytes]) -> int:
        """Send rows in binary form to `COPY ... FROM STDIN`; the number of rows written."""
        import psycopg

        from djflow.backend.wire import copy_rows

        try:
            with self.connection.cursor() as cursor:
                return copy_rows(cursor, statement, payload)
        except psycopg.Error as error:
            raise translate(error) from error

    def read_small(
        self,
        sql: str,
        parameters: Parameters,
        schema: pa.Schema,
        shipped: ShippedStatement | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a query of few rows, or of one inside a transaction."""
        cursor = self._retried(lambda: self._run(sql, parameters, shipped))
        return rows.batches(cursor, schema)

    def read_bulk(
        self,
        sql: str,
        parameters: Parameters,
        shipped: ShippedStatement | None = None,
        *,
        snapshot: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a query for a result that is held in memory anyway, over a connection of its own.

        `snapshot` names the view to read, by default the database as it is.
        """
        from djflow.backend.adbc import Reading

        plain = Reading(sql, parameters)
        with_tables = None
        if shipped is not None:
            with_tables = Reading(shipped.sql, shipped.parameters, shipped.tables)
        return self._begun(lambda pool: pool.stream(plain, with_tables, snapshot=snapshot))

    def read_stream(
        self,
        statement: "SettledStatement",
        shipped: "SettledStatement | None" = None,
        *,
        batch_bytes: int | None = STREAM_BYTES,
        snapshot: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a query as they come, in bounded memory, over a connection of its own.

        `batch_bytes` is about the size of a batch; None leaves it to the driver, whose batches are large.
        `snapshot` names the view to read, by default the database as it is.
        """
        from djflow.backend.adbc import SettledReading

        with_tables = None if shipped is None else SettledReading(shipped)
        return self._begun(
            lambda pool: pool.stream(
                SettledReading(statement), with_tables, batch_bytes=batch_bytes, snapshot=snapshot
            )
        )

    def _begun(self, stream: "Callable[[AdbcPool], Iterator[pa.RecordBatch]]") -> Iterator[pa.RecordBatch]:
        """The batches of a stream, which is retried where its connection had ended before."""
        batches = stream(self._adbc())
        try:
            first = next(batches)
        except (LostConnectionError, ConnectionFailedError) as error:
            # The server may have restarted since; the embedded one is started by whoever needs it.
            if not self.settings.database.reconnect or (
                self.is_remote and isinstance(error, ConnectionFailedError)
            ):
                raise
            self._drop_pool()
            batches = stream(self._adbc())
            first = next(batches)
        yield first
        yield from batches

    def _adbc(self) -> "AdbcPool":
        self._after_fork()
        with self._lock:
            if self._pool is None:
                from djflow.backend.adbc import AdbcPool

                self._pool = AdbcPool(self.conninfo(), self._server)
            return self._pool

    def _drop_pool(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _retried(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except LostConnectionError:
            if self.in_transaction or not self.settings.database.reconnect:
                raise
            self._thread.connection.close()
            return action()

    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""
        self._after_fork()
        with self._lock:
            if self._pool is not None:
                self._pool.close()
            for _, connection in self._every:
                connection.close()
            if self._embedded is not None:
                self._embedded.release()
            self._reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _has_ended(connection: "psycopg.Connection[Any]") -> bool:
    """Whether a connection is closed, by this side or, while it was idle, by the server."""
    import psycopg

    if connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
        try:
            for _ in range(2):  # the server's farewell, then the end behind it; neither is waited for
                connection.pgconn.consume_input()
        except psycopg.OperationalError:
            connection.close()
    return connection.closed
