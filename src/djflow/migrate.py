"""One-time changes of existing schemas on PostgreSQL; what is only about MySQL databases is left out.

All helpers that change something have a `dry_run`, or write to tables and schemas that are new.
"""

from djflow.tables.migration import (
    add_job_metadata_columns,
    backup_schema,
    check_migration_status,
    copy_table_data,
    rebuild_lineage,
    verify_schema_v20,
)
from djflow.tables.migration_compare import compare_query_results

__all__ = [
    "add_job_metadata_columns",
    "backup_schema",
    "check_migration_status",
    "compare_query_results",
    "copy_table_data",
    "rebuild_lineage",
    "verify_schema_v20",
]
