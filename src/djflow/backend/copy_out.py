"""Rows that a connection sends by COPY, in the transaction that is open on it.

libpq hands them out one by one, in binary form; they are gathered to pieces that are decoded as a whole.
"""

from collections.abc import Callable, Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.backend import settings, temporary
from djflow.backend.copy_decode import PADDING, decode, sql_type
from djflow.backend.kept_chunks import Chunk, KeptChunks
from djflow.backend.settings import SettledStatement
from djflow.backend.sqlstate import translate
from djflow.backend.transaction import Transaction
from djflow.backend.waiting import failure, finish, readable, run, sent
from djflow.errors import DjflowError, QueryError

if TYPE_CHECKING:
    import psycopg

# Decoding is quickest in pieces that stay in the processor's cache.
CHUNK_BYTES: Final = 1 << 22
_HEADER: Final = 15  # and behind it the length of what extends it
_TRAILER: Final = 2  # a row is longer: the number of its columns, and the size of each
_OWN_SAVEPOINT: Final = "djflow_read"


def read(
    transaction: Transaction,
    statement: SettledStatement,
    shipped: SettledStatement | None,
    schema: pa.Schema,
    chunk_bytes: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """The batches of a query as the transaction sees it, in bounded memory; one batch at least.

    `schema` has the types in which the values travel, `shipped` is the same query over temporary tables,
    preferred where the server allows these. A batch has about `chunk_bytes`, 4 MiB by default. Other
    statements may be run before the last batch was taken: what is left is then put aside.
    Raises the typed errors of `djflow.errors`.
    """
    source = _begun(transaction, statement, shipped, schema, chunk_bytes or CHUNK_BYTES)
    empty = True
    try:
        while (chunk := source.take()) is not None:
            if chunk.lengths:
                empty = False
                chunk.payload.extend(PADDING)
                yield decode(chunk.payload, chunk.lengths, schema)
    finally:
        source.close()
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=schema)


def _begun(
    transaction: Transaction,
    statement: SettledStatement,
    shipped: SettledStatement | None,
    schema: pa.Schema,
    chunk_bytes: int,
) -> "CopyOut":
    import psycopg

    try:
        with transaction.reading() as connection:
            point = transaction.point
            reader = settings.reader_over(connection) if statement.settings else settings.NOTHING_TO_READ
            is_apart = bool(statement.settings or shipped is not None)
            if is_apart:
                connection.execute(f"SAVEPOINT {_OWN_SAVEPOINT}".encode())
            if shipped is not None and temporary.fill_here(connection, shipped.tables):
                statement = shipped
            settings.settle(connection, statement.settings, reader.mark)
            # Settings and tables go with it: a read leaves nothing behind.
            closing = f"ROLLBACK TO {_OWN_SAVEPOINT}; RELEASE {_OWN_SAVEPOINT}" if is_apart else ""
            source = CopyOut(connection, lambda: transaction.return_to(point), closing, chunk_bytes)
            source.begin(_copy(statement.text(reader.read), schema))
    except psycopg.Error as error:
        raise translate(error) from error
    transaction.hold(source)
    return source


def _copy(query: str, schema: pa.Schema) -> str:
    """The COPY of a query whose columns have, or can be cast to, the types of a schema."""
    names = [f"c{number}" for number in range(1, len(schema) + 1)]
    cast = ", ".join(f"{name}::{sql_type(type_)}" for name, type_ in zip(names, schema.types, strict=True))
    return f"COPY (SELECT {cast} FROM ({query}) AS q({', '.join(names)})) TO STDOUT (FORMAT binary)"


class CopyOut:
    """The rows of one COPY; in pieces, from the connection or from where they were put aside.

    Pieces may be taken in any thread.
    """

    is_abandoned: bool

    def __init__(
        self,
        connection: "psycopg.Connection[Any]",
        recover: Callable[[], None],
        closing: str,
        chunk_bytes: int,
    ) -> None:
        """`recover` is called after a failure, `closing` is run after the last row."""
        self._connection, self._recover = connection, recover
        self._closing, self._chunk_bytes = closing, chunk_bytes
        self._lock = RLock()
        self._is_first, self._is_over = True, False
        self._kept: KeptChunks | None = None
        self._error: DjflowError | None = None
        self.is_abandoned = False

    def begin(self, statement: str) -> None:
        """Send the COPY and wait for its first row. Raises psycopg's errors."""
        import psycopg

        connection = self._connection
        connection.wait(sent(connection.pgconn, statement.encode()))
        result = connection.pgconn.get_result()
        if result is None or result.status != psycopg.pq.ExecStatus.COPY_OUT:
            finish(connection)
            raise failure(connection, result)

    def take(self) -> Chunk | None:
        """The next piece; None behind the last.

        Raises what made the server stop, and `QueryError` where the transaction was rolled back meanwhile.
        """
        with self._lock:
            if self._kept is not None and (chunk := self._kept.take()) is not None:
                return chunk
            if self._error is not None:
                raise self._error
            return None if self._is_over else self._pulled()

    def set_aside(self) -> None:
        """Take what is left from the connection, for those who come for it later."""
        with self._lock:
            kept = KeptChunks()
            try:
                while not self._is_over:
                    kept.put(self._pulled())
            except (
                DjflowError
            ) as error:  # theirs who read, not of the statement that waits for the connection
                self._error = error
            self._kept = kept

    def close(self) -> None:
        """Say that nobody wants the rest.

        The connection is not touched: this may be called while something else is going on there.
        """
        self.is_abandoned = True
        if self._kept is not None:
            self._kept.close()

    def stop(self) -> None:
        """Have the server send no more."""
        with self._lock:
            if not self._is_over:
                self._is_over = True
                self._recover()

    def discard(self) -> None:
        """Forget the rest, on a connection whose transaction is rolled back."""
        self._is_over = True
        self._error = QueryError("The transaction was rolled back before all of these rows had been read.")

    def _pulled(self) -> Chunk:
        """The next piece from the connection. Whatever goes wrong, the connection is usable afterwards."""
        import psycopg

        try:
            return self._pull()
        except BaseException as error:
            self._is_over = True
            self._recover()
            if isinstance(error, psycopg.Error):
                raise translate(error) from error
            raise

    def _pull(self) -> Chunk:
        pgconn, limit = self._connection.pgconn, self._chunk_bytes
        payload, lengths = bytearray(), list[int]()
        add, get = lengths.append, pgconn.get_copy_data
        while len(payload) < limit:
            size, row = get(1)
            if size > 0:
                payload += row
                add(size)
            elif size == 0:
                self._connection.wait(readable(pgconn))
            else:
                finish(self._connection)
                self._is_over = True
                if self._closing:
                    run(self._connection, self._closing)
                break
        if self._is_first:
            self._is_first = False
            _strip_header(payload, lengths)
        if lengths and lengths[-1] == _TRAILER:
            del payload[-_TRAILER:]
            lengths.pop()
        return Chunk(payload, lengths)


def _strip_header(payload: bytearray, lengths: list[int]) -> None:
    """Take away what stands before the first row, in the same message or in one of its own."""
    extension = int.from_bytes(payload[_HEADER : _HEADER + 4], "big")
    size = _HEADER + 4 + extension
    del payload[:size]
    lengths[0] -= size
    if not lengths[0]:
        del lengths[0]
