"""One-time changes of existing schemas on PostgreSQL; what is only about MySQL databases is left out.

All helpers that change something have a `dry_run`, or write to tables and schemas that are new.
"""

from djflow.tables.migration.compare import compare_query_results
from djflow.tables.migration.copies import backup_schema, copy_table_data
from djflow.tables.migration.job_metadata import add_job_metadata_columns
from djflow.tables.migration.rebuild import rebuild_lineage
from djflow.tables.migration.state import check_migration_status, verify_schema_v20

__all__ = [
    "add_job_metadata_columns",
    "backup_schema",
    "check_migration_status",
    "compare_query_results",
    "copy_table_data",
    "rebuild_lineage",
    "verify_schema_v20",
]
