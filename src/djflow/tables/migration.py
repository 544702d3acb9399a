"""One-time changes of existing schemas: columns of job metadata, checks, copies and comparisons.

Every helper takes the names that PostgreSQL knows, so that no class is needed; each works in one transaction.
"""

from collections.abc import Sequence
from typing import Any, Final

from djflow.backend.introspect import introspect
from djflow.definition.bind import JOB_METADATA
from djflow.errors import DjflowError, InvalidArgumentError, MissingSchemaError
from djflow.model.names import MAX_IDENTIFIER, TableName
from djflow.model.table import Attribute, Literal, Table
from djflow.model.types import CodecType, CoreType, EnumType, NativeType, sql_type
from djflow.relation.database import Database
from djflow.sql.ddl import column_comment, create_schema
from djflow.sql.identifiers import literal, qualified, quote
from djflow.tables.arguments import check_connection, is_name
from djflow.tables.declare import schema_exists
from djflow.tables.declared import Table as DeclaredTable
from djflow.tables.default import conn
from djflow.tables.deployment import target_tables
from djflow.tables.migration_lineage import (
    expected_lineage,
    lineage_table_exists,
    recorded_lineage,
    rewrite_lineage,
)
from djflow.tables.schema import Schema

_TABLES: Final = """
SELECT c.relname::text
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""


# job metadata


def add_job_metadata_columns(target: Any, dry_run: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
    """Add the hidden columns of job metadata to Computed and Imported tables that lack them.

    `target` is a schema, or a table, class or instance. Rows that exist keep null there (the version is
    empty); rows that populate() makes from now on get values. With `dry_run`, the default, nothing is run.
    All tables are changed, or none.

    Returns `tables_analyzed`, `tables_modified` (with `dry_run`, to be modified), `columns_added` and
    `details`: for each table `table`, `status` ("pending", "migrated" or "up_to_date"), `columns_added`
    and `sql_statements`.

    Raises `InvalidArgumentError` for another target or a table that `make` does not fill, and `AccessError`.
    """
    database, names = target_tables(target)
    catalog = database.catalog({name.schema for name in names})
    tables = [catalog[name] for name in names if name.tier.is_auto_populated]
    if not tables and not isinstance(target, Schema):
        raise InvalidArgumentError(
            f"{names[0]} is not filled by make(): only Computed and Imported tables are."
        )
    details = [_job_metadata_detail(table, dry_run=dry_run) for table in tables]
    if not dry_run:
        with database.session.transaction():
            for statement in (each for detail in details for each in detail["sql_statements"]):
                database.session.execute(statement)
        _reload(target)
    return {
        "tables_analyzed": len(tables),
        "tables_modified": sum(bool(detail["columns_added"]) for detail in details),
        "columns_added": sum(detail["columns_added"] for detail in details),
        "details": details,
    }


def _job_metadata_detail(table: Table, *, dry_run: bool) -> dict[str, Any]:
    present = {column.name for column in table.columns}
    missing = [column for column in JOB_METADATA if column.name not in present]
    return {
        "table": str(table.name),
        "status": "up_to_date" if not missing else "pending" if dry_run else "migrated",
        "columns_added": len(missing),
        "sql_statements": [each for column in missing for each in _add_column(table.name, column)],
    }


def _add_column(table: TableName, column: Attribute) -> tuple[str, str]:
    name = quote(column.name)
    default = literal(column.default.text) if isinstance(column.default, Literal) else "NULL"
    null = "" if column.nullable else " NOT NULL"
    return (
        f"ALTER TABLE {qualified(table)} ADD COLUMN {name} {sql_type(column.stored)}{null} DEFAULT {default}",
        f"COMMENT ON COLUMN {qualified(table)}.{name} IS {literal(column_comment(column))}",
    )


def _reload(target: Any) -> None:
    if isinstance(target, Schema):
        target._reload()  # noqa: SLF001 - of the same layer
        return
    kind = target if isinstance(target, type) else type(target)
    if issubclass(kind, DeclaredTable) and kind.__djflow_schema__ is not None:
        kind.__djflow_schema__._reload()  # noqa: SLF001 - of the same layer


def _check_is_schema(target: object) -> None:
    if not isinstance(target, Schema):
        raise InvalidArgumentError(f"schema must be a Schema, as dj.Schema('lab'); got {target!r}")
    target._ensure()  # noqa: SLF001 - of the same layer


# lineage


def rebuild_lineage(schema: Schema, dry_run: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - documented
    """Work out the origins of a schema's attributes from its foreign keys, and record them anew.

    Returns `lineage_entries` (how many there are afterwards), `added` and `removed` (lists of
    `(table, attribute, lineage)` that the record lacked, or should not have had) and `dry_run`. With
    `dry_run`, the default, nothing is changed; otherwise all of it is, or nothing.
    Where tables refer to another schema, rebuild that one first.
    """
    _check_is_schema(schema)
    session = schema.connection.session
    before, after = recorded_lineage(session, schema.database), expected_lineage(session, schema.database)
    if not dry_run:
        rewrite_lineage(session, schema.database)
        _reload(schema)
    return {
        "lineage_entries": len(after),
        "added": sorted(after - before),
        "removed": sorted(before - after),
        "dry_run": dry_run,
    }


# state


def check_migration_status(schema: Schema) -> dict[str, Any]:
    """How many columns of bytes are marked as blobs: `total_blob_columns`, `migrated`, `pending`, `columns`.

    `columns` names those without a mark, `table.column`: they hold plain bytes, which nothing decodes.
    """
    _check_is_schema(schema)
    marked, plain = 0, []
    for table in schema.catalog():
        if table.name.schema == schema.database:
            marked += sum(isinstance(c.type, CodecType) and _is_binary(c) for c in table.columns)
            plain += [f"{table.name.table}.{c.name}" for c in table.columns if _is_unmarked(c)]
    return {
        "total_blob_columns": marked + len(plain),
        "migrated": marked,
        "pending": len(plain),
        "columns": plain,
    }


def _is_binary(column: Attribute) -> bool:
    return column.stored == CoreType("bytes") or column.stored == NativeType("bytea")


def _is_unmarked(column: Attribute) -> bool:
    return column.type == NativeType("bytea")


def verify_schema_v20(schema: str, connection: Database | None = None) -> dict[str, Any]:
    """Whether a schema is as DataJoint 2 and djflow make them: `compatible`, and `issues` as sentences.

    An issue is a missing or wrong record of lineage, a column of bytes without the mark of its codec, or a
    table without a primary key. `connection` is the database, by default `dj.conn()`.
    """
    session = _database(connection).session
    _check_schema(_database(connection), schema)
    tables = [t for t in introspect(session.connection, [schema]).tables if t.name.schema == schema]
    issues = [
        f"{table.name}.{column.name}: bytes without the mark of a codec, as in ':<blob>:' before the comment"
        for table in tables
        for column in table.columns
        if _is_unmarked(column)
    ]
    issues += [f"{table.name} has no primary key" for table in tables if not table.primary_key]
    if not lineage_table_exists(session, schema):
        issues.append(f"{schema} has no table ~lineage: run rebuild_lineage(schema, dry_run=False)")
    elif wrong := recorded_lineage(session, schema) ^ expected_lineage(session, schema):
        places = sorted({f"{table}.{name}" for table, name, _ in wrong})
        issues.append(
            f"~lineage differs from the foreign keys for {', '.join(places)}: "
            "run rebuild_lineage(schema, dry_run=False)"
        )
    return {"compatible": not issues, "issues": issues, "tables_checked": len(tables)}


# copies


def backup_schema(schema: str, backup_name: str, connection: Database | None = None) -> dict[str, Any]:
    """Copy the tables of a schema, hidden ones included, into a new schema: all as of one moment, or nothing.

    Rows, keys, defaults, indexes and comments are copied; foreign keys and objects in stores are not.
    Returns `tables_backed_up` and `rows_backed_up`. Raises `DjflowError` where `backup_name` exists.
    """
    database = _database(connection)
    session = database.session
    _check_schema(database, schema)
    _check_name("schema", backup_name)
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
    database = _database(connection)
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


def pair_of_tables(
    connection: Database | None, first: str, second: str, table: str
) -> tuple[Table, Table, Database]:
    """Two tables of one name, and the database that has them, by default `dj.conn()`.

    Raises `MissingSchemaError`.
    """
    database = _database(connection)
    for schema in (first, second):
        _check_schema(database, schema)
    _check_name("table", table)
    catalog = database.catalog([first, second])
    return catalog[TableName(first, table)], catalog[TableName(second, table)], database


def _check_name(role: str, name: object) -> None:
    if not is_name(name):
        raise InvalidArgumentError(
            f"The name of a {role} is a text of 1 to {MAX_IDENTIFIER} bytes; got {name!r}"
        )


def _check_schema(database: Database, schema: str) -> None:
    _check_name("schema", schema)
    if not schema_exists(database.session, schema):
        raise MissingSchemaError(schema, ())


def _database(connection: Database | None) -> Database:
    if connection is None:
        return conn()
    check_connection(connection)
    return connection


def _listed(schema: str, tables: Sequence[str]) -> str:
    return ", ".join(qualified(TableName(schema, table)) for table in tables)
