"""Copies of schemas, and of rows into a table of the same name."""

from collections.abc import Sequence
from typing import Any, Final

from djflow.errors import DjflowError, InvalidArgumentError
from djflow.model.names import TableName
from djflow.model.table import Attribute
from djflow.model.types import EnumType
from djflow.relation.database import Database
from djflow.sql.ddl import create_schema
from djflow.sql.identifiers import qualified, quote
from djflow.tables.declare import schema_exists
from djflow.tables.migration.targets import check_name, check_schema, database_of, pair_of_tables

_TABLES: Final = """
SELECT c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


def backup_schema(schema: str, backup_name: str, connection: Database | None = None) -> dict[str, Any]:
    """Copy the tables of a schema, hidden ones included, into a new schema: all as of one moment, or nothing.

    Rows, keys, defaults, indexes and comments are copied; foreign keys and objects in stores are not.
    Returns `tables_backed_up` and `rows_backed_up`. Raises `DjflowError` where `backup_name` exists.
    """
    database = database_of(connection)
    session = database.session
    check_schema(database, schema)
    check_name("schema", backup_name)
    with session.transaction():
        if schema_exists(session, backup_name):
            raise DjflowError(f"The database has a schema {backup_name!r} already. Choose another name.")
        names = [name for (name,) in session.execute(_TABLES, [schema])]
        if names:  # every table stands still until all are copied
            session.execute(f"LOCK TABLE {_listed(schema, names)} IN SHARE MODE")
        session.execute(create_schema(backup_name))
        rows = sum(_copy_whole(database, TableName(schema, n), TableName(backup_name, n)) for n in names)
    return {"tables_backed_up": len(names), "rows_backed_up": rows}


def _copy_whole(database: Database, source: TableName, copy: TableName) -> int:
    database.session.execute(f"CREATE TABLE {qualified(copy)} (LIKE {qualified(source)} INCLUDING ALL)")
    select = f"SELECT * FROM {qualified(source)}"
    return database.session.write(f"INSERT INTO {qualified(copy)} OVERRIDING SYSTEM VALUE {select}", ())


def copy_table_data(
    source_schema: str,
    dest_schema: str,
    table: str,
    limit: int | None = None,
    connection: Database | None = None,
) -> dict[str, Any]:
    """Copy the rows of a table into the namesake of another schema; `rows_copied` says how many.

    `table` is the name in PostgreSQL. Columns match by name; what only one side has is left out, or gets
    its default. `limit`, by default none, is the most rows to copy, by primary key. All rows go in, or none.

    Raises `DuplicateError` where a key exists, `IntegrityError` where a parent is missing.
    """
    database = database_of(connection)
    source, target, _ = pair_of_tables(database, source_schema, dest_schema, table)
    common = [c for c in target.columns if c.name in {own.name for own in source.columns}]
    names = ", ".join(quote(column.name) for column in common)
    values = ", ".join(_cast(column) for column in common)
    order = f" ORDER BY {', '.join(quote(name) for name in source.primary_key)}" if source.primary_key else ""
    if limit is not None and (not isinstance(limit, int) or limit < 0):
        raise InvalidArgumentError(f"limit is a number of rows, none for all of them; got {limit!r}")
    some = "" if limit is None else f" LIMIT {limit:d}"
    copied = database.session.write(
        f"INSERT INTO {qualified(target.name)} ({names}) OVERRIDING SYSTEM VALUE "
        f"SELECT {values} FROM {qualified(source.name)}{order}{some}",
        (),
    )
    return {"rows_copied": copied}


def _cast(column: Attribute) -> str:
    # Two schemas have enum types of their own, which PostgreSQL does not convert into each other.
    if isinstance(column.stored, EnumType) and column.stored.sql_name:
        return f"{quote(column.name)}::text::{column.stored.sql_name}"
    return quote(column.name)


def _listed(schema: str, tables: Sequence[str]) -> str:
    return ", ".join(qualified(TableName(schema, table)) for table in tables)
