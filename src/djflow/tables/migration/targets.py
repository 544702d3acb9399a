"""What the helpers are told to work on, checked before anything is asked of the database."""

from typing import Any

from djflow.errors import InvalidArgumentError, MissingSchemaError
from djflow.model.names import MAX_IDENTIFIER, TableName
from djflow.model.table import Table
from djflow.relation.database import Database
from djflow.tables.arguments import check_connection, is_name
from djflow.tables.declare import schema_exists
from djflow.tables.declared import Table as DeclaredTable
from djflow.tables.default import conn
from djflow.tables.schema import Schema


def reload(target: Any) -> None:
    """Have a schema, or that of a table, know its tables as they are now."""
    if isinstance(target, Schema):
        target._reload()  # noqa: SLF001 - of the same layer
        return
    kind = target if isinstance(target, type) else type(target)
    if issubclass(kind, DeclaredTable) and kind.__djflow_schema__ is not None:
        kind.__djflow_schema__._reload()  # noqa: SLF001 - of the same layer


def check_is_schema(target: object) -> None:
    """Raise `InvalidArgumentError` for what is no schema; create what it declared."""
    if not isinstance(target, Schema):
        raise InvalidArgumentError(f"schema must be a Schema, as dj.Schema('lab'); got {target!r}")
    target._ensure()  # noqa: SLF001 - of the same layer


def pair_of_tables(
    connection: Database | None, first: str, second: str, table: str
) -> tuple[Table, Table, Database]:
    """Two tables of one name, and the database that has them, by default `dj.conn()`.

    Raises `MissingSchemaError`.
    """
    database = database_of(connection)
    for schema in (first, second):
        check_schema(database, schema)
    check_name("table", table)
    catalog = database.catalog([first, second])
    return catalog[TableName(first, table)], catalog[TableName(second, table)], database


def check_name(role: str, name: object) -> None:
    """Raise `InvalidArgumentError` for what PostgreSQL takes for no name; `role` says what it would name."""
    if not is_name(name):
        raise InvalidArgumentError(
            f"The name of a {role} is a text of 1 to {MAX_IDENTIFIER} bytes; got {name!r}"
        )


def check_schema(database: Database, schema: str) -> None:
    """Raise `MissingSchemaError` where the database has no such schema."""
    check_name("schema", schema)
    if not schema_exists(database.session, schema):
        raise MissingSchemaError(schema, ())


def database_of(connection: Database | None) -> Database:
    """The database given, by default `dj.conn()`."""
    if connection is None:
        return conn()
    check_connection(connection)
    return connection
