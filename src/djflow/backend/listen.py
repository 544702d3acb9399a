"""A connection on which the server tells what others have committed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from djflow.backend import rows
from djflow.backend.connections import Connections
from djflow.backend.sqlstate import translate
from djflow.configuration import Settings
from djflow.errors import LostConnectionError

if TYPE_CHECKING:
    import psycopg
    from psycopg.abc import PQGen

_ROUNDS: Final = 100  # of taking what came meanwhile: who sends without end is not waited for
_KEPT_ALIVE: Final[dict[str, Any]] = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
_INTERVAL: Final = 0.1  # seconds in which an interrupt is noticed


class Listener(Connections):
    """One connection for notifications, apart from those of any thread; one thread at a time uses it.

    Its locks, and what it listens to, last from `open` until it ends.
    """

    _listening: "psycopg.Connection[Any] | None" = None

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._heard: list[str] = []

    def conninfo(self) -> str:
        """The libpq connection string, password included: never show it.

        A server that is gone without a farewell is noticed within half a minute.
        """
        from psycopg.conninfo import conninfo_to_dict, make_conninfo

        given = super().conninfo()
        return make_conninfo(given, **{**_KEPT_ALIVE, **conninfo_to_dict(given)})

    @property
    def is_open(self) -> bool:
        """Whether the connection is there, as far as is known without asking the server."""
        self._after_fork()
        return self._listening is not None and not self._listening.closed

    def open(self) -> None:
        """Open the connection anew. Raises `ConnectionFailedError`."""
        self.disconnect()
        connection = self._open()
        # Those that come while a statement runs: psycopg takes them from the connection.
        connection.add_notify_handler(lambda notification: self._heard.append(notification.payload))
        self._listening, self._heard = connection, []

    def disconnect(self) -> None:
        """Close the connection, if it is open."""
        self._after_fork()
        connection, self._listening = self._listening, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close the connection, and let the embedded server go."""
        self.disconnect()
        super().close()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a control statement with `$1`, `$2`, ... and return its rows, if any."""
        return rows.control(self._there(), sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All statements inside commit together, or not at all."""
        import psycopg

        try:
            with self._there().transaction():
                yield
        except psycopg.Error as error:
            raise translate(error) from error

    def wait(self, timeout: float) -> list[str]:
        """What notifications carry: waits `timeout` seconds at most for the first, then takes all there are.

        None gets lost where an interrupt comes in between. Raises `LostConnectionError`.
        """
        import psycopg

        connection = self._there()
        interval = 0.0 if self._heard else max(0.0, min(timeout, _INTERVAL))
        try:
            connection.wait(self._hear(connection, time.monotonic() + timeout), interval=interval)
            known = 0
            for _ in range(_ROUNDS):
                if len(self._heard) == known:
                    break
                known = len(self._heard)
                connection.wait(self._hear(connection, 0, more_than=known), interval=0)
        except psycopg.Error as error:
            raise translate(error) from error
        found, self._heard = self._heard, []
        return found

    def _hear(
        self, connection: "psycopg.Connection[Any]", deadline: float, more_than: int = 0
    ) -> "PQGen[None]":
        """Until there are more notifications than some."""
        from psycopg.waiting import Wait

        while True:
            # Before anything is waited for: they may have come behind the answer to a statement.
            while (notification := connection.pgconn.notifies()) is not None:
                self._heard.append(notification.extra.decode(errors="replace"))
            if len(self._heard) > more_than:
                return
            ready = yield Wait.R
            if ready & Wait.R:
                connection.pgconn.consume_input()
            elif time.monotonic() >= deadline:
                return

    def _there(self) -> "psycopg.Connection[Any]":
        self._after_fork()
        if self._listening is None or self._listening.closed:
            raise LostConnectionError("The connection that listens is closed. Open it again.")
        return self._listening

    def _reset(self) -> None:
        super()._reset()
        self._abandoned.append(self._listening)  # a forked child neither uses nor closes it
        self._listening = None
