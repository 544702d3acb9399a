"""Temporary tables: how the large frames of a statement travel, on the connection that runs it.

A role may lack the right to make any, and a standby server makes none; the statement is then run
as it is without them.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.backend import rows
from djflow.backend.sqlstate import translate
from djflow.backend.statement import Parameters, ShippedStatement, TemporaryRows
from djflow.backend.wire import copy_rows, encode_copy
from djflow.model.table import Attribute
from djflow.model.types import NativeType
from djflow.sql.identifiers import quote

if TYPE_CHECKING:
    import psycopg

# The role may not; the server, or the transaction, is read-only.
_REFUSED: Final = ("42501", "25006")
_COLUMN_TYPES: Final = {
    pa.int64(): NativeType("bigint"),
    pa.float64(): NativeType("double precision"),
    pa.binary(): NativeType("bytea"),
    pa.string(): NativeType("text"),
}


def fill(connection: Any, tables: Sequence[TemporaryRows]) -> bool:
    """Make and fill temporary tables over ADBC; False where the server allows none."""
    import adbc_driver_manager

    with connection.cursor() as cursor:
        try:
            for table in tables:
                # Not left to adbc_ingest, whose errors do not tell why a table was not made.
                cursor.execute(_creation(table))
                cursor.adbc_ingest(table.name, table.rows, mode="append", temporary=True)
                cursor.execute(f"ANALYZE {_qualified(table)}")
        except adbc_driver_manager.Error as error:
            if error.sqlstate in _REFUSED:
                return False
            raise
    return True


def drop(connection: Any, tables: Sequence[TemporaryRows]) -> bool:
    """Drop temporary tables over ADBC; False where that failed and the connection must go instead."""
    import adbc_driver_manager

    with suppress(adbc_driver_manager.Error), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"DROP TABLE {_qualified(table)}")
        return True
    return False


def run_shipped(
    connection: "psycopg.Connection[Any]", sql: str, parameters: Parameters, shipped: ShippedStatement
) -> "psycopg.RawCursor[Any]":
    """Run a shipped statement over psycopg; where the server allows no temporary tables, `sql`.

    All rows are with the client when this returns, so that the tables are gone by then. In a
    transaction, a failure undoes the statement and no more.
    """
    import psycopg

    try:
        with connection.transaction():
            if fill_here(connection, shipped.tables):
                cursor = rows.run(connection, shipped.sql, shipped.parameters)
                for table in shipped.tables:
                    connection.execute(f"DROP TABLE {_qualified(table)}".encode())
                return cursor
    except psycopg.Error as error:
        raise translate(error) from error
    return rows.run(connection, sql, parameters)


def fill_here(connection: "psycopg.Connection[Any]", tables: Sequence[TemporaryRows]) -> bool:
    """Make and fill temporary tables over psycopg, in its transaction; False where the server allows none."""
    import psycopg

    try:
        with connection.transaction(), connection.cursor() as cursor:
            for table in tables:
                _fill(cursor, table)
    except psycopg.Error as error:
        if error.sqlstate in _REFUSED:
            return False
        raise
    return True


def _fill(cursor: "psycopg.Cursor[Any]", table: TemporaryRows) -> None:
    cursor.execute(f"{_creation(table)} ON COMMIT DROP".encode())
    payload = encode_copy(table.rows.to_batches(), _columns(table))
    copy_rows(cursor, f"COPY {_qualified(table)} FROM STDIN (FORMAT binary)".encode(), payload)
    cursor.execute(f"ANALYZE {_qualified(table)}".encode())


def _creation(table: TemporaryRows) -> str:
    listed = ", ".join(f"{quote(column.name)} {column.stored}" for column in _columns(table))
    return f"CREATE TEMPORARY TABLE {quote(table.name)} ({listed})"


def _columns(table: TemporaryRows) -> list[Attribute]:
    stored = [_COLUMN_TYPES[type_] for type_ in table.rows.schema.types]
    return [
        Attribute(name, type_, type_) for name, type_ in zip(table.rows.schema.names, stored, strict=True)
    ]


def _qualified(table: TemporaryRows) -> str:
    return f"pg_temp.{quote(table.name)}"
