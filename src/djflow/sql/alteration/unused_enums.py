"""Enum types that tables used before they were altered, and that nothing uses afterwards."""

from collections.abc import Iterable
from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import qualified

# Types of other names were made by others, for reasons of their own.
USED: Final = """
SELECT DISTINCT t.oid
FROM unnest($1::text[], $2::text[]) AS wanted(schema, tab)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.tab
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE t.typtype = 'e' AND t.typname ~ '^enum_[0-9a-f]{8}$'
"""
"""The query for the enum types of some tables that declaring them made; its answers are for `UNUSED`."""

UNUSED: Final = """
SELECT n.nspname::text, t.typname::text
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid = ANY ($1::oid[]) AND n.nspname = ANY ($2::text[]) AND pg_has_role(t.typowner, 'USAGE')
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray) AND d.deptype <> 'i')
ORDER BY 1, 2
"""
"""The query for those types in some schemas that one may drop, and that nothing depends on."""


def drop_types(names: Iterable[TableName]) -> str:
    """Drop types; whatever depends on one of them stops it.

    >>> drop_types([TableName("lab", "enum_0a1b2c3d")])
    'DROP TYPE "lab"."enum_0a1b2c3d"'
    """
    return f"DROP TYPE {', '.join(map(qualified, names))}"
