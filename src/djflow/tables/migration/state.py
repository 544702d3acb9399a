"""Whether a schema is as DataJoint 2 and djflow make them."""

from typing import Any

from djflow.backend.introspect import introspect
from djflow.model.table import Attribute
from djflow.model.types import CodecType, CoreType, NativeType
from djflow.relation.database import Database
from djflow.tables.migration.lineage import expected_lineage, lineage_table_exists, recorded_lineage
from djflow.tables.migration.targets import check_is_schema, check_schema, database_of
from djflow.tables.schema import Schema


def check_migration_status(schema: Schema) -> dict[str, Any]:
    """How many columns of bytes are marked as blobs: `total_blob_columns`, `migrated`, `pending`, `columns`.

    `columns` names those without a mark, `table.column`: they hold plain bytes, which nothing decodes.
    """
    check_is_schema(schema)
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
    session = database_of(connection).session
    check_schema(database_of(connection), schema)
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
