"""Hidden columns of job metadata for the tables that lack them."""

from typing import Any

from djflow.definition.bind import JOB_METADATA
from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.model.table import Attribute, Literal, Table
from djflow.model.types import sql_type
from djflow.sql.ddl import column_comment
from djflow.sql.identifiers import literal, qualified, quote
from djflow.tables.deployment import target_tables
from djflow.tables.migration.targets import reload
from djflow.tables.schema import Schema


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
        reload(target)
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
