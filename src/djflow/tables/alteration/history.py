"""The history of a schema's alterations, kept in the schema itself."""

from typing import TYPE_CHECKING

from djflow._version import __version__
from djflow.backend.introspect import relation_names
from djflow.backend.session import Session
from djflow.definition import render, unbind
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.alteration.history import (
    COLUMNS,
    MIGRATIONS_TABLE,
    create_migrations_table,
    insert_migration,
    select_migrations,
)
from djflow.tables.alteration.prepare import Prepared

if TYPE_CHECKING:
    import polars as pl


def record(session: Session, prepared: Prepared) -> None:
    """Write down what an alteration did to each table, in the schema of the table."""
    for schema in dict.fromkeys(name.schema for name in prepared.tables):
        if MIGRATIONS_TABLE not in relation_names(session.connection, schema):
            session.execute(create_migrations_table(schema))
    for name, delta in prepared.target.deltas.items():
        session.execute(
            insert_migration(name.schema),
            [
                __version__,
                name.table,
                _definition(delta.old),
                _definition(delta.new),
                list(prepared.plan.statements),
            ],
        )


def migrations(session: Session, schema: str) -> "pl.DataFrame":
    """The alterations of a schema's tables, the first one first, one row a table and alteration."""
    import polars as pl

    kinds = dict.fromkeys(COLUMNS, pl.String()) | {
        "migration": pl.Int64(),
        "applied_at": pl.Datetime("us"),
        "statements": pl.List(pl.String()),
    }
    known = MIGRATIONS_TABLE in relation_names(session.connection, schema)
    rows = session.execute(select_migrations(schema)) if known else []
    return pl.DataFrame(rows, schema=kinds, orient="row")


def _definition(table: Table) -> str:
    def class_path(name: TableName) -> str:
        return name.class_path if name.schema == table.name.schema else f"{name.schema}.{name.class_path}"

    return render(unbind(table, class_path=class_path))
