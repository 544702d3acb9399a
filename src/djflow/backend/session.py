"""A session: settings, and the connections to the server that they name.

psycopg owns transactions, all that happens inside them, control and writes; ADBC does bulk reads outside.
Both open when first needed. Connections belong to a thread and to a process: a forked child opens its own.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyarrow as pa

from djflow.backend import rows
from djflow.backend.rights import naming_rights, naming_rights_of
from djflow.backend.statement import Parameters, ShippedStatement
from djflow.backend.transactional import Transactional
from djflow.configuration import Settings
from djflow.errors import AccessError

if TYPE_CHECKING:
    import psycopg

    from djflow.backend.adbc import AdbcPool
    from djflow.backend.settings import SettledStatement
    from djflow.backend.snapshot import Snapshot

T = TypeVar("T")
STREAM_BYTES: Final = 1 << 20
# Arrays of integers are as fast as a table up to about 700,000, of text to 100,000, in two columns to 50,000.
INLINE_VALUES: Final = 200_000


class Session(Transactional):
    """The way to one database. Safe to use from several threads; each has its own transaction.

    Everything opens lazily: making a session costs nothing. `inline_values` is how many values of
    a local frame travel as arrays; larger frames travel as temporary tables.
    """

    def __init__(self, settings: Settings, inline_values: int = INLINE_VALUES) -> None:
        super().__init__(settings)
        self.inline_values = inline_values

    def __reduce__(self) -> tuple[Any, ...]:
        return Session, (self.settings, self.inline_values)

    def __repr__(self) -> str:
        return f"Session({self._server})"

    def snapshot(self) -> "Snapshot":
        """The database as it is now, for readers on other connections, until it is closed."""
        from djflow.backend.snapshot import Snapshot

        connection = self._open()
        self._keep(connection, threading.main_thread())  # no thread's end closes it
        return Snapshot(connection)

    # statements

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a control statement with `$1`, `$2`, ... and return its rows, if any."""
        return self._writing(sql, lambda connection: rows.control(connection, sql, parameters))

    def execute_own(self, sql: str, parameters: Sequence[Any] = ()) -> rows.Rows:
        """Run a user's statement, with `$1`, `$2`, ... or `%s` for the parameters, and return its rows."""
        return self._writing(sql, lambda connection: rows.own(connection, sql, parameters))

    # Each statement may come with `shipped`, the same one with its large frames in temporary tables.

    def query_rows(
        self, sql: str, parameters: Parameters, shipped: ShippedStatement | None = None
    ) -> list[tuple[Any, ...]]:
        """The rows of a small query; retried once on a fresh connection if the old one broke."""
        return self._reading(sql, lambda connection: _run(connection, sql, parameters, shipped).fetchall())

    def query_each(self, statements: Iterable[tuple[str, Parameters]]) -> list[list[tuple[Any, ...]]]:
        """The rows of each of some small queries, inside a transaction.

        The server works on one while the next are being made.
        """
        made: list[str] = []

        def noted() -> Iterator[tuple[str, Parameters]]:
            for sql, parameters in statements:
                made.append(sql)
                yield sql, parameters

        try:
            with self._thread.innermost.reading() as connection:
                return rows.run_each(connection, noted())
        except AccessError:
            with naming_rights("; ".join(made), self._ask):
                raise

    def write(self, sql: str, parameters: Parameters, shipped: ShippedStatement | None = None) -> int:
        """Run a statement that writes; the number of rows affected."""
        return self._writing(sql, lambda connection: _run(connection, sql, parameters, shipped).rowcount)

    def copy(self, statement: str, payload: Iterable[bytes]) -> int:
        """Send rows in binary form to `COPY ... FROM STDIN`; the number of rows written."""
        return self._writing(statement, lambda connection: rows.copy_in(connection, statement, payload))

    def read_small(
        self,
        sql: str,
        parameters: Parameters,
        schema: pa.Schema,
        shipped: ShippedStatement | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a query of few rows, inside a transaction or outside."""
        cursor = self._reading(sql, lambda connection: _run(connection, sql, parameters, shipped))
        return rows.batches(cursor, schema)

    def read_inside(
        self,
        statement: "SettledStatement",
        schema: pa.Schema,
        shipped: "SettledStatement | None" = None,
        *,
        batch_bytes: int | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """The batches of a query as the transaction of this thread sees it, in bounded memory.

        `schema` has the types in which the values travel. Other statements may run before the last batch is
        taken. Raises `QueryError` where there is no transaction, or it ends before the first batch is taken.
        """
        from djflow.backend import copy_out

        batches = copy_out.read(self._thread.innermost, statement, shipped, schema, batch_bytes)
        return naming_rights_of(batches, statement.text(str), self._ask)

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
        batches = self._begun(lambda pool: pool.stream(plain, with_tables, snapshot=snapshot))
        return naming_rights_of(batches, sql, self._ask)

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
        batches = self._begun(
            lambda pool: pool.stream(
                SettledReading(statement), with_tables, batch_bytes=batch_bytes, snapshot=snapshot
            )
        )
        return naming_rights_of(batches, statement.text(str), self._ask)

    def _begun(self, stream: "Callable[[AdbcPool], Iterator[pa.RecordBatch]]") -> Iterator[pa.RecordBatch]:
        self._after_fork()
        return self._bulk.begun(stream, reconnect=self.settings.database.reconnect)

    def _reading(self, sql: str, action: "Callable[[psycopg.Connection[Any]], T]") -> T:
        with naming_rights(sql, self._ask):
            return self.reading(action)

    def _writing(self, sql: str, action: "Callable[[psycopg.Connection[Any]], T]") -> T:
        with naming_rights(sql, self._ask):
            return self.writing(action)

    def _ask(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.reading(lambda connection: rows.control(connection, sql, parameters))


def _run(
    connection: "psycopg.Connection[Any]", sql: str, parameters: Parameters, shipped: ShippedStatement | None
) -> "psycopg.RawCursor[Any]":
    if shipped is None:
        return rows.run(connection, sql, parameters)
    from djflow.backend.temporary import run_shipped

    return run_shipped(connection, sql, parameters, shipped)
