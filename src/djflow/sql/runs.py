"""What runs of populate did, kept in a hidden table of each schema: it tells how long a key takes."""

from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified

RUNS_TABLE: Final = "~runs"
_LATEST: Final = 20  # runs that tell what a key costs
_KEPT: Final = 1000  # runs of a table


def runs_table(schema: str) -> TableName:
    """The table of a schema's runs."""
    return TableName(schema, RUNS_TABLE)


def create_runs(schema: str) -> str:
    """The statement that creates it where it is missing."""
    return (
        f"CREATE TABLE IF NOT EXISTS {qualified(runs_table(schema))} (\n"
        "  table_name varchar(64) NOT NULL,\n"
        "  ended timestamptz NOT NULL DEFAULT clock_timestamp(),\n"
        "  made bigint NOT NULL,\n  failed bigint NOT NULL,\n  skipped bigint NOT NULL,\n"
        "  seconds float8 NOT NULL,\n  rows bigint NOT NULL,\n  bytes bigint NOT NULL,\n"
        '  host varchar(255) NOT NULL,\n  "user" varchar(255) NOT NULL DEFAULT current_user\n)'
    )


def insert_runs(schema: str) -> str:
    """The statement that notes runs; its parameters are an array for each column but time and user."""
    columns = "table_name, made, failed, skipped, seconds, rows, bytes, host"
    arrays = "$1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::float8[], $6::bigint[], $7::bigint[]"
    return (
        f"INSERT INTO {qualified(runs_table(schema))} ({columns})\nSELECT u.*, $8 FROM unnest({arrays}) AS u"
    )


def forget_runs(schema: str) -> str:
    """The statement that removes all but the latest runs of the tables `$1`."""
    return (
        f"DELETE FROM {qualified(runs_table(schema))} AS r\n"
        "USING unnest($1::text[]) AS t (name), LATERAL (\n"
        f"  SELECT ended FROM {qualified(runs_table(schema))}\n"
        f"  WHERE table_name = t.name ORDER BY ended DESC OFFSET {_KEPT} LIMIT 1\n"
        ") AS last\nWHERE r.table_name = t.name AND r.ended <= last.ended"
    )


def has_runs(schema: str) -> str:
    """The query for whether the table is there, and may be read."""
    name = literal(qualified(runs_table(schema)))
    return f"SELECT coalesce(has_table_privilege(to_regclass({name}), 'SELECT'), false)"


def cost_of_keys(schema: str) -> str:
    """The query for seconds and bytes a key of each of the tables `$1`, on average over their latest runs."""
    return (
        "SELECT table_name, sum(seconds) / sum(made), sum(bytes) / sum(made)\n"
        "FROM (SELECT *, row_number() OVER (PARTITION BY table_name ORDER BY ended DESC) AS n\n"
        f"  FROM {qualified(runs_table(schema))} WHERE table_name = ANY ($1::text[]) AND made > 0) AS r\n"
        f"WHERE n <= {_LATEST} GROUP BY table_name"
    )
