"""Whole schemas into an archive."""

from contextlib import nullcontext
from pathlib import Path

from djflow.errors import MissingTableError
from djflow.model.catalog import Catalog
from djflow.model.table import Table
from djflow.planner.nodes import Scan
from djflow.relation.database import Database
from djflow.sql import archive as sql
from djflow.tables.archive.folder import check_free
from djflow.tables.archive.write import ArchiveSummary, one_moment, remove, write_rows


def dump_schema(
    database: Database,
    schema: str,
    path: str | Path,
    *,
    include_parents: bool = False,
    display_progress: bool = False,
) -> ArchiveSummary:
    """Keep all tables of a schema with all their rows; see `Schema.dump`."""
    check_free(Path(path).absolute())
    session = database.session
    known = _tables(database.catalog([schema]), schema, include_parents=include_parents)
    if not known:
        raise MissingTableError(f"The schema {schema!r} has no tables, or does not exist.")
    is_inside = session.in_transaction
    with nullcontext() if is_inside else one_moment(session):
        # Before the first look, which is the moment: who empties a table does not ask who still reads it.
        session.execute(sql.lock_for_reading(table.name for table in known))
        catalog = database.catalog([schema])
        tables = _tables(catalog, schema, include_parents=include_parents)
        plans = {table.name: Scan(table) for table in tables}
        summary = write_rows(database, plans, path, catalog, [schema], display_progress=display_progress)
        if is_inside:
            session.after_rollback(lambda: remove(summary))
        return summary


def _tables(catalog: Catalog, schema: str, *, include_parents: bool) -> list[Table]:
    return [table for table in catalog if include_parents or table.name.schema == schema]
