"""Make declared tables exist: one transaction a schema, safe when several processes declare at once."""

from collections.abc import Sequence

from djflow.backend.introspect import enums_of, introspect, relation_names
from djflow.backend.session import Session
from djflow.errors import MissingTableError
from djflow.model.catalog import Catalog, topological_order
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.ddl import create_schema, create_table
from djflow.sql.enums import enum_types, plan_enums
from djflow.sql.lineage import create_lineage_table, delete_lineage, insert_lineage, lineage_columns
from djflow.tables.rights import ownership

_SCHEMA = "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1"


def schema_exists(session: Session, schema: str) -> bool:
    """Whether the database has a schema of this name."""
    return bool(session.execute(_SCHEMA, [schema]))


def declare(
    session: Session,
    schema: str,
    tables: Sequence[Table],
    *,
    create_schemas: bool = True,
    create_tables: bool = True,
) -> tuple[Catalog, frozenset[TableName]]:
    """The schema's tables as they are in the database afterwards, and the names of those created now.

    Raises `MissingTableError` where something is missing and may not be created.
    """
    catalog = introspect(session.connection, [schema])
    missing = [table for table in tables if table.name not in catalog]
    if not missing and (tables or schema_exists(session, schema)):
        return catalog, frozenset()
    _check_permitted(session, schema, missing, create_schemas=create_schemas, create_tables=create_tables)
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", [f"djflow declare {schema}"])
        if not schema_exists(session, schema):
            session.execute(create_schema(schema))
        known = introspect(session.connection, [schema])
        created = [table for table in missing if table.name not in known]
        if created:
            _create(session, schema, created)
            ownership.extend(session, [table.name for table in created])
    return introspect(session.connection, [schema]), frozenset(table.name for table in created)


def _check_permitted(
    session: Session, schema: str, missing: Sequence[Table], *, create_schemas: bool, create_tables: bool
) -> None:
    if not create_schemas and not schema_exists(session, schema):
        raise MissingTableError(f"The database has no schema {schema!r}, and create_schema is False.")
    if missing and not create_tables:
        names = ", ".join(str(table.name) for table in missing)
        raise MissingTableError(f"The database lacks {names}, and create_tables is False.")


def _create(session: Session, schema: str, tables: Sequence[Table]) -> None:
    by_name = {table.name: table for table in tables}
    ordered = [by_name[name] for name in topological_order(tables)]
    wanted = [enum for table in ordered for enum in enum_types(table)]
    enums = plan_enums(wanted, enums_of(session.connection, sorted({enum.schema for enum in wanted})))
    statements = [*enums.statements, create_lineage_table(schema)]
    taken = relation_names(session.connection, schema)
    for table in ordered:
        statements += create_table(table, enum_names=enums.names, taken_names=taken)
    for statement in statements:
        session.execute(statement)
    session.execute(delete_lineage(schema), [[table.name.table for table in ordered]])
    session.execute(insert_lineage(schema), lineage_columns(ordered))
