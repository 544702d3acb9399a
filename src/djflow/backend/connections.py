"""The connections of a session: they belong to a thread and to a process; a forked child opens its own."""

import atexit
import os
import threading
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, Protocol, Self
from weakref import WeakSet

from djflow.backend.bulk import BulkReader
from djflow.backend.sqlstate import translate
from djflow.backend.transaction import Action, Transaction
from djflow.backend.waiting import has_ended
from djflow.configuration import Settings
from djflow.errors import QueryError
from djflow.model.names import TableName
from djflow.model.table import Table

if TYPE_CHECKING:
    import psycopg

    from djflow.backend.embedded import EmbeddedServer

_open_sessions: Final["WeakSet[Connections]"] = WeakSet()


@atexit.register
def _close_sessions() -> None:
    for connections in list(_open_sessions):
        connections.close()


class Holder(Protocol):
    """Who holds back rows that a thread has inserted, to be written with others."""

    def before_reading(self, tables: Collection[TableName]) -> None:
        """The thread is about to read these tables: what is held of them has to be there."""
        ...

    def before_writing(self) -> None:
        """The thread is about to begin a block of a transaction, or to write: what is held comes before."""
        ...


class Query(Protocol):
    """A plan, as far as this layer knows them."""

    @property
    def tables(self) -> tuple[Table, ...]:
        """The stored tables that it reads."""
        ...


class Watcher(Protocol):
    """Who looks at what a thread reads."""

    def before_query(self, query: Query | str) -> None:
        """The thread is about to run a query, or a statement of its own SQL. What this raises, it gets."""
        ...


class OfThread(threading.local):
    """What a thread has of its own."""

    connection: "psycopg.Connection[Any] | None" = None
    transaction: Transaction | None = None
    holder: "Holder | None" = None
    watcher: "Watcher | None" = None

    @property
    def innermost(self) -> Transaction:
        """The open transaction. Raises `QueryError` where there is none."""
        if self.transaction is None:
            raise QueryError("There is no transaction here whose end could be waited for.")
        return self.transaction

    @property
    def undo(self) -> list[Action]:
        """What to call, last first, if the innermost block rolls back."""
        return self.innermost.undo


class Connections:
    """What a session has open. Making it costs nothing: everything opens when it is first needed."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._abandoned: list[object] = []
        self._companions: list[Connections] = []
        self._reset()
        _open_sessions.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._thread = OfThread()
        self._every: list[tuple[threading.Thread, psycopg.Connection[Any]]] = []
        self._bulk = BulkReader(self.conninfo, self._server, is_remote=self.is_remote)
        self._embedded: EmbeddedServer | None = None
        self._process = os.getpid()  # last: who sees it in a forked child finds nothing of the parent's

    @property
    def is_remote(self) -> bool:
        """Whether the settings name a server; otherwise the embedded one is used."""
        return self.settings.database.is_configured

    @property
    def _server(self) -> str:
        """Who, where and which database, without a password."""
        if self.is_remote:
            return self.settings.database.describe()
        place = f"the embedded server of {self.settings.home}"
        name = self.settings.database.name
        return f"the database {name!r} of {place}" if name else place

    def conninfo(self) -> str:
        """The libpq connection string, password included: never show it.

        Starts the embedded server where no other is configured, and makes its database where it is missing.
        """
        self._after_fork()
        if self.is_remote:
            return self.settings.database.conninfo().reveal()
        with self._lock:
            if self._embedded is None:
                from djflow.backend.embedded import EmbeddedServer

                self._embedded = EmbeddedServer(self.settings.home)
            return self._embedded.acquire(self.settings.database.name)

    def _own(self) -> "psycopg.Connection[Any]":
        """The connection of the calling thread, opened anew where it has ended."""
        self._after_fork()
        connection = self._thread.connection
        if connection is None or has_ended(connection):
            connection = self._thread.connection = self._connect()
        return connection

    @property
    def is_connected(self) -> bool:
        """Whether the calling thread has an open connection, as far as is known without asking the server."""
        self._after_fork()
        connection = self._thread.connection
        return connection is not None and not has_ended(connection)

    def _connect(self) -> "psycopg.Connection[Any]":
        connection = self._open()
        self._keep(connection, threading.current_thread())
        return connection

    def _open(self) -> "psycopg.Connection[Any]":
        import psycopg

        try:
            # Texts come as they are stored in Arrow, whatever the server's or the environment's encoding.
            return psycopg.connect(
                self.conninfo(), autocommit=True, application_name="djflow", client_encoding="utf8"
            )
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
            self._abandoned.append((self._thread, self._every, self._bulk, self._embedded))
            self._reset()

    def _forget_connection(self) -> None:
        connection, self._thread.connection = self._thread.connection, None
        if connection is not None:
            connection.close()

    def accompany(self, other: "Connections") -> None:
        """Have others closed whenever these are."""
        self._companions.append(other)

    def close(self) -> None:
        """Close every connection of this process; the next use opens new ones."""
        for companion in self._companions:
            companion.close()
        self._after_fork()
        with self._lock:
            self._bulk.close()
            for _, connection in self._every:
                connection.close()
            if self._embedded is not None:
                self._embedded.release()
            self._reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
