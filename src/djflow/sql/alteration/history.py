"""The table `~migrations` of a schema: what was altered, when, by whom, and how."""

from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import qualified

MIGRATIONS_TABLE: Final = "~migrations"
COLUMNS: Final = (
    "migration",
    "applied_at",
    "applied_by",
    "djflow_version",
    "table_name",
    "definition_before",
    "definition_after",
    "statements",
)


def create_migrations_table(schema: str) -> str:
    """The statement that creates a schema's history where it is missing."""
    return (
        f"CREATE TABLE IF NOT EXISTS {_table(schema)} (\n"
        "  migration bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n"
        "  applied_at timestamp without time zone NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),\n"
        "  applied_by text NOT NULL DEFAULT current_user,\n"
        "  djflow_version text NOT NULL,\n"
        "  table_name text NOT NULL,\n"
        "  definition_before text NOT NULL,\n"
        "  definition_after text NOT NULL,\n"
        "  statements text[] NOT NULL\n"
        ")"
    )


def insert_migration(schema: str) -> str:
    """The statement that records one table's alteration; its parameters are the last five columns."""
    return f"INSERT INTO {_table(schema)} ({', '.join(COLUMNS[3:])})\nVALUES ($1, $2, $3, $4, $5::text[])"


def select_migrations(schema: str) -> str:
    """The query for a schema's history, the first alteration first."""
    return f"SELECT {', '.join(COLUMNS)} FROM {_table(schema)} ORDER BY migration"


def _table(schema: str) -> str:
    return qualified(TableName(schema, MIGRATIONS_TABLE))
