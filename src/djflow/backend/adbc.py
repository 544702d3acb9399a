"""Bulk reads over ADBC: connections of one driver handle a server and process.

A connection carries one stream at a time and must not be shared between threads, so each
stream borrows a connection of its own and gives it back when it is exhausted.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from djflow.backend import driver, settings, temporary
from djflow.backend import snapshot as snapshots
from djflow.backend.settings import Setting, SettledStatement
from djflow.backend.sqlstate import translate
from djflow.backend.statement import Parameters, TemporaryRows

_BATCH_BYTES: Final = "adbc.postgresql.batch_size_hint_bytes"
_MAX_IDLE: Final = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """A query with its parameters, and the rows of the temporary tables that it reads."""

    sql: str
    parameters: Parameters = ()
    tables: Sequence[TemporaryRows] = ()


@dataclass(frozen=True, slots=True)
class SettledReading:
    """A query whose values go ahead as settings: its rows come by COPY, in bounded memory."""

    statement: SettledStatement

    @property
    def tables(self) -> Sequence[TemporaryRows]:
        """The rows of the temporary tables that the query reads."""
        return self.statement.tables


class AdbcPool:
    """Connections to one server for streams of record batches."""

    def __init__(self, conninfo: str, server: str) -> None:
        self._conninfo, self._server = conninfo, server
        self._idle: list[Any] = []
        self._is_open = False
        self._lock = threading.RLock()  # a stream gives back where Python frees its memory, even inside

    def stream(
        self,
        reading: Reading | SettledReading,
        shipped: Reading | SettledReading | None = None,
        *,
        batch_bytes: int | None = None,
        snapshot: str | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its batches; the first yields come before the last rows are read.

        An empty result yields one batch without rows, so that the types are known.
        `shipped` is the same query over temporary tables, preferred where the server allows these.
        `snapshot` names the view to read, by default the database as it is.
        A query without parameters takes bounded memory; libpq holds the result of one with them.
        Raises the typed errors of `djflow.errors`.
        """
        with _typed_errors(), self._lent() as lease:
            connection = lease.connection
            # Rows written now are later than a snapshot of then, and would not be seen in it.
            if shipped is not None and snapshot is None and temporary.fill(connection, shipped.tables):
                reading = shipped
            with _ready(connection, reading, batch_bytes, snapshot) as plain:
                yield from _batches(connection, plain, batch_bytes)
            # A connection that is not sound is closed, and its tables go with it.
            lease.is_sound = temporary.drop(connection, reading.tables)

    @contextmanager
    def _lent(self) -> Iterator["_Lease"]:
        lease = _Lease(self._take())
        try:
            yield lease
        finally:
            self._give_back(lease.connection, healthy=lease.is_sound)

    def close(self) -> None:
        """Close all idle connections; open streams close theirs when they end."""
        with self._lock:
            idle, self._idle, self._is_open = self._idle, [], False
        for connection in idle:
            connection.close()

    def _take(self) -> Any:
        import adbc_driver_manager

        with self._lock:
            self._is_open = True
            if self._idle:
                return self._idle.pop()
        try:
            return driver.connect(self._conninfo)
        except adbc_driver_manager.Error as error:
            raise translate(error, server=self._server) from None  # the driver's text can quote the password

    def _give_back(self, connection: Any, *, healthy: bool) -> None:
        with self._lock:
            if healthy and self._is_open and len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()


@dataclass(slots=True)
class _Lease:
    """A connection in use, and whether it can be used again."""

    connection: Any
    is_sound: bool = False


@contextmanager
def _typed_errors() -> Iterator[None]:
    import adbc_driver_manager

    try:
        yield
    except (adbc_driver_manager.Error, OSError, pa.ArrowException) as error:
        raise translate(error) from error


@contextmanager
def _ready(
    connection: Any, reading: Reading | SettledReading, batch_bytes: int | None, snapshot: str | None
) -> Iterator[Reading]:
    """The query as it is sent, once its settings are made and its snapshot is entered.

    Who fails in it closes the connection.
    """
    assigned, reader = _settings_of(connection, reading)
    if isinstance(reading, SettledReading):
        reading = Reading(reading.statement.text(reader.read))
    # A transaction takes two more ways to the server and back, which a short read would feel.
    if snapshot is None and (not assigned or (batch_bytes is None and reader.is_folded)):
        settings.assign(connection, assigned, reader.mark, "session")
        yield reading
        return
    snapshots.enter(connection, snapshot)
    settings.assign(connection, assigned, reader.mark, "transaction")
    yield reading
    snapshots.leave(connection)


def _settings_of(
    connection: Any, reading: Reading | SettledReading
) -> tuple[Sequence[Setting], settings.Reader]:
    assigned = reading.statement.settings if isinstance(reading, SettledReading) else ()
    return assigned, settings.reader_on(connection) if assigned else settings.NOTHING_TO_READ


def _batches(connection: Any, reading: Reading, batch_bytes: int | None) -> Iterator[pa.RecordBatch]:
    import adbc_driver_manager

    cursor = connection.cursor()
    try:
        if batch_bytes is not None:
            cursor.adbc_statement.set_options(**{_BATCH_BYTES: str(batch_bytes)})
        cursor.execute(reading.sql, bind_row(reading.parameters) if reading.parameters else None)
        reader = cursor._results.reader  # noqa: SLF001 - the public one loses the SQLSTATE of what fails
        empty = True
        for batch in reader:
            empty = False
            yield batch
        if empty:
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
    finally:
        with suppress(adbc_driver_manager.Error):
            cursor.close()


def bind_row(parameters: Parameters) -> pa.RecordBatch:
    """The parameters as the one row that the driver binds.

    A statement binds one row only: many values travel as one list.
    """
    arrays = [settings.one_row(parameter) for parameter in parameters]
    return pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(1, len(arrays) + 1)])
