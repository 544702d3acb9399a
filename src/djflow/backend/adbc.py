"""Bulk reads over ADBC: one database handle a process, cheap clones of one connection.

A connection carries one stream at a time and must not be shared between threads, so each
stream borrows a connection of its own and gives it back when it is exhausted.
"""

import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa

from djflow.backend.sqlstate import translate
from djflow.backend.statement import Parameters

_BATCH_BYTES: Final = "adbc.postgresql.batch_size_hint_bytes"
_MAX_IDLE: Final = 4


class AdbcPool:
    """Connections to one server for streams of record batches."""

    def __init__(self, conninfo: str, server: str) -> None:
        self._conninfo, self._server = conninfo, server
        self._root: Any = None
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def stream(
        self, sql: str, parameters: Parameters, *, batch_bytes: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Run a query and yield its batches; the first yields come before the last rows are read.

        An empty result yields one batch without rows, so that the types are known.
        Raises the typed errors of `djflow.errors`.
        """
        import adbc_driver_manager

        connection = self._take()
        healthy = False
        cursor = connection.cursor()
        try:
            if batch_bytes is not None:
                cursor.adbc_statement.set_options(**{_BATCH_BYTES: str(batch_bytes)})
            cursor.execute(sql, bind_row(parameters) if parameters else None)
            reader = cursor.fetch_record_batch()
            empty = True
            for batch in reader:
                empty = False
                yield batch
            if empty:
                yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            healthy = True
        except adbc_driver_manager.Error as error:
            raise translate(error) from error
        except (OSError, pa.ArrowException) as error:
            raise translate(error) from error
        finally:
            with suppress(adbc_driver_manager.Error):
                cursor.close()
            self._give_back(connection, healthy=healthy)

    def close(self) -> None:
        """Close all idle connections; open streams close theirs when they end."""
        with self._lock:
            idle, self._idle = self._idle, []
            root, self._root = self._root, None
        for connection in (*idle, *([root] if root is not None else [])):
            connection.close()

    def _take(self) -> Any:
        import adbc_driver_manager

        with self._lock:
            if self._idle:
                return self._idle.pop()
            try:
                if self._root is None:
                    self._root = self._connect()
                return self._clone()
            except adbc_driver_manager.Error:
                # The server may have restarted since the root was opened.
                with suppress(adbc_driver_manager.Error):
                    if self._root is not None:
                        self._root.close()
                self._root = None
                self._root = self._connect()
                return self._clone()

    def _clone(self) -> Any:
        clone = self._root.adbc_clone()
        clone.adbc_connection.set_autocommit(True)  # a clone does not inherit it, and would hold locks
        return clone

    def _connect(self) -> Any:
        import adbc_driver_manager
        from adbc_driver_postgresql import dbapi

        try:
            return dbapi.connect(self._conninfo, autocommit=True)
        except adbc_driver_manager.Error as error:
            raise translate(error, server=self._server) from None  # the driver's text can quote the password

    def _give_back(self, connection: Any, *, healthy: bool) -> None:
        with self._lock:
            if healthy and self._root is not None and len(self._idle) < _MAX_IDLE:
                self._idle.append(connection)
                return
        connection.close()


def bind_row(parameters: Parameters) -> pa.RecordBatch:
    """The parameters as the one row that the driver binds.

    A statement binds one row only: many values travel as one list.
    """
    arrays = [_one(parameter.value, parameter.type) for parameter in parameters]
    return pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(1, len(arrays) + 1)])


def _one(value: Any, type_: pa.DataType) -> pa.Array:
    if isinstance(value, pa.Array) and pa.types.is_list(type_):
        return pa.ListArray.from_arrays(pa.array([0, len(value)], pa.int32()), value)
    return pa.array([value], type_)
