"""Streams of a session that come over connections of their own, which open and reopen as they are needed."""

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pyarrow as pa

from djflow.errors import ConnectionFailedError, LostConnectionError

if TYPE_CHECKING:
    from djflow.backend.adbc import AdbcPool


class BulkReader:
    """A pool of connections for reads, made when first needed and anew when the server has restarted."""

    def __init__(self, conninfo: Callable[[], str], server: str, *, is_remote: bool) -> None:
        self._conninfo, self._server, self._is_remote = conninfo, server, is_remote
        self._lock = threading.Lock()
        self._pool: AdbcPool | None = None

    def begun(
        self, stream: "Callable[[AdbcPool], Iterator[pa.RecordBatch]]", *, reconnect: bool
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a stream, which is retried where its connection had ended before."""
        batches = stream(self._opened())
        try:
            first = next(batches)
        except (LostConnectionError, ConnectionFailedError) as error:
            # The server may have restarted since; the embedded one is started by whoever needs it.
            if not reconnect or (self._is_remote and isinstance(error, ConnectionFailedError)):
                raise
            self.close()
            batches = stream(self._opened())
            first = next(batches)
        yield first
        yield from batches

    def _opened(self) -> "AdbcPool":
        with self._lock:
            if self._pool is None:
                from djflow.backend.adbc import AdbcPool

                self._pool = AdbcPool(self._conninfo(), self._server)
            return self._pool

    def close(self) -> None:
        """Close what is idle; open streams close their connections when they end."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
