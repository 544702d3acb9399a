"""The rows of the tables `~lineage`, of which each schema has one of its own."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from djflow.backend.catalog_query import despite_drops, query
from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified
from djflow.sql.lineage import LINEAGE_TABLE

if TYPE_CHECKING:
    import psycopg

_READABLE: Final = """
SELECT n.nspname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %(table)s AND coalesce(n.nspname = ANY (%(schemas)s::text[]), true)
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY n.nspname
"""
_ROWS: Final = "SELECT {schema}::text, table_name, attribute_name, lineage FROM {table}"
# Both change with each change of a row: where a row stands, and which transaction wrote it.
_MARK: Final = "SELECT {schema}::text, sum(hashtidextended(ctid, xmin::text::bigint)) FROM {table}"


def recorded_lineage(
    connection: "psycopg.Connection[Any]", schemas: Sequence[str] | None
) -> Mapping[TableName, Mapping[str, str]]:
    """What is recorded of the attributes of tables, where the role may read it; None means all schemas."""

    def read() -> Mapping[TableName, Mapping[str, str]]:
        found: dict[TableName, dict[str, str]] = defaultdict(dict)
        for schema, table, attribute, lineage in _of_each(connection, schemas, _ROWS):
            found[TableName(schema, table)][attribute] = lineage
        return found

    return despite_drops(connection, read)


def lineage_mark(connection: "psycopg.Connection[Any]", schemas: Sequence[str] | None) -> tuple[object, ...]:
    """Figures that change whenever what `recorded_lineage` gives does."""
    return despite_drops(connection, lambda: tuple(_of_each(connection, schemas, _MARK)))


def _of_each(
    connection: "psycopg.Connection[Any]", schemas: Sequence[str] | None, template: str
) -> list[tuple[Any, ...]]:
    wanted = None if schemas is None else list(schemas)
    readable = [name for (name,) in query(connection, _READABLE, schemas=wanted, table=LINEAGE_TABLE)]
    selects = (
        template.format(schema=literal(schema), table=qualified(TableName(schema, LINEAGE_TABLE)))
        for schema in readable
    )
    return query(connection, "\nUNION ALL\n".join(selects)) if readable else []
