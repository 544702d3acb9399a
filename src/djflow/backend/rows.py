"""Small reads over psycopg, which answers a query of a few rows several times sooner than ADBC."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.backend.sqlstate import translate
from djflow.backend.statement import Parameters
from djflow.errors import DjflowError

if TYPE_CHECKING:
    import psycopg

_CHUNK: Final = 16_384
_NUMBERED: Final = re.compile(r"\$\d")


def run(connection: "psycopg.Connection[Any]", sql: str, parameters: Parameters) -> "psycopg.RawCursor[Any]":
    """Execute a statement with `$1`, `$2`, ... and return its cursor, results in binary form."""
    import psycopg

    cursor = psycopg.RawCursor(connection)
    try:
        return cursor.execute(sql, [_python(parameter.value) for parameter in parameters], binary=True)
    except psycopg.Error as error:
        raise translate(error) from error


def run_each(
    connection: "psycopg.Connection[Any]", statements: Iterable[tuple[str, Parameters]]
) -> list[list[tuple[Any, ...]]]:
    """The rows of each statement; the server works on one while the next are being made."""
    import psycopg

    failure: DjflowError | None = None
    try:
        with connection.pipeline():
            try:
                cursors = [run(connection, sql, parameters) for sql, parameters in statements]
                return [_fetched(cursor) for cursor in cursors]
            except DjflowError as error:
                failure = error  # raised below: the pipeline is to end in order
    except psycopg.Error as error:
        raise failure or translate(error) from error
    raise failure or AssertionError


def _fetched(cursor: "psycopg.RawCursor[Any]") -> list[tuple[Any, ...]]:
    import psycopg

    try:
        return cursor.fetchall()
    except psycopg.Error as error:
        raise translate(error) from error


def control(
    connection: "psycopg.Connection[Any]", sql: str, parameters: Sequence[Any]
) -> list[tuple[Any, ...]]:
    """Execute a statement with Python values for `$1`, `$2`, ...; its rows, if it gives any."""
    import psycopg

    try:
        cursor = psycopg.RawCursor(connection).execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        raise translate(error) from error


class Rows(list[tuple[Any, ...]]):
    """The rows of a statement of one's own: a list, that can also be read as a cursor is.

    >>> rows = Rows([(1,), (2,)])
    >>> rows.fetchone(), rows.fetchall(), rows.fetchone()
    ((1,), [(2,)], None)
    """

    _place = 0

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None behind the last."""
        found = self[self._place : self._place + 1]
        self._place += len(found)
        return found[0] if found else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        """The rows that are left."""
        found = self[self._place :]
        self._place = len(self)
        return found


def own(connection: "psycopg.Connection[Any]", sql: str, parameters: Sequence[Any]) -> Rows:
    """Execute a user's statement, with `$1`, `$2`, ... or `%s` for its parameters; its rows, if any."""
    import psycopg

    try:
        if parameters and not _NUMBERED.search(sql):
            cursor: psycopg.Cursor[Any] = psycopg.Cursor(connection).execute(sql.encode(), parameters)
            return Rows(cursor.fetchall() if cursor.description else ())
    except psycopg.Error as error:
        raise translate(error) from error
    return Rows(control(connection, sql, parameters))


def copy_in(connection: "psycopg.Connection[Any]", statement: str, payload: Iterable[bytes]) -> int:
    """Send a payload to `COPY ... FROM STDIN`; the number of rows written."""
    import psycopg

    from djflow.backend.wire import copy_rows

    try:
        with connection.cursor() as cursor:
            return copy_rows(cursor, statement, payload)
    except psycopg.Error as error:
        raise translate(error) from error


def batches(cursor: "psycopg.RawCursor[Any]", schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a cursor as record batches of a schema, at least one."""
    import psycopg

    empty = True
    try:
        while rows := cursor.fetchmany(_CHUNK):
            empty = False
            yield _batch(rows, schema)
    except psycopg.Error as error:  # a value that Python cannot hold, such as an infinite date
        raise translate(error) from error
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=schema)


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if len(schema) else ()
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _python(value: Any) -> Any:
    return value.to_pylist() if isinstance(value, pa.Array) else value
