"""The record of where attributes come from, made anew."""

from typing import Any

from djflow.tables.migration.lineage import expected_lineage, recorded_lineage, rewrite_lineage
from djflow.tables.migration.targets import check_is_schema, reload
from djflow.tables.schema import Schema


def rebuild_lineage(schema: Schema, dry_run: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 - documented
    """Work out the origins of a schema's attributes from its foreign keys, and record them anew.

    Returns `lineage_entries` (how many there are afterwards), `added` and `removed` (lists of
    `(table, attribute, lineage)` that the record lacked, or should not have had) and `dry_run`. With
    `dry_run`, the default, nothing is changed; otherwise all of it is, or nothing.
    Where tables refer to another schema, rebuild that one first.
    """
    check_is_schema(schema)
    session = schema.connection.session
    before, after = recorded_lineage(session, schema.database), expected_lineage(session, schema.database)
    if not dry_run:
        rewrite_lineage(session, schema.database)
        reload(schema)
    return {
        "lineage_entries": len(after),
        "added": sorted(after - before),
        "removed": sorted(before - after),
        "dry_run": dry_run,
    }
