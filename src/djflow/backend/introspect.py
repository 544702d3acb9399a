"""Reads the tables of a database: a fixed number of queries, whatever their number."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from djflow.backend.assemble import assemble
from djflow.backend.catalog_query import despite_drops, in_one_view, query
from djflow.backend.catalog_rows import CatalogRows, ColumnRow, IndexRow, KeyRow, TableRow, TypeRow
from djflow.backend.recorded_lineage import recorded_lineage
from djflow.model.catalog import Catalog
from djflow.model.types import EnumType

if TYPE_CHECKING:
    import psycopg

# pg_catalog, not information_schema: that hides keys from roles which may only read.
_TABLES: Final = """
WITH RECURSIVE wanted(oid) AS (
  SELECT c.oid
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND CASE WHEN %(schemas)s::text[] IS NULL
             THEN n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
             ELSE n.nspname = ANY (%(schemas)s::text[]) END
  UNION
  SELECT k.confrelid
  FROM wanted JOIN pg_catalog.pg_constraint k ON k.conrelid = wanted.oid
  WHERE k.contype = 'f'
)
SELECT c.oid, n.nspname, c.relname, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM wanted
JOIN pg_catalog.pg_class c ON c.oid = wanted.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE left(c.relname, 1) <> '~' AND NOT c.relispartition
  -- null for what has been dropped since the view was taken
  AND has_table_privilege(c.oid, 'SELECT') IS NOT NULL
"""
_COLUMNS: Final = """
SELECT a.attrelid, a.attnum::int, a.attname, a.attnotnull, a.atttypid, format_type(a.atttypid, a.atttypmod),
  CASE WHEN a.attidentity <> '' THEN 'nextval()'  -- counts as a serial column does
       WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END, coalesce(t.description, '')
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_description t
  ON t.classoid = 'pg_catalog.pg_class'::regclass AND t.objoid = a.attrelid AND t.objsubid = a.attnum
WHERE a.attrelid = ANY (%(tables)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
"""
_TYPES: Final = """
WITH RECURSIVE used(oid) AS (
  SELECT a.atttypid
  FROM pg_catalog.pg_attribute a
  WHERE a.attrelid = ANY (%(tables)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT t.typbasetype
  FROM used JOIN pg_catalog.pg_type t ON t.oid = used.oid
  WHERE t.typtype = 'd'
)
SELECT t.oid,
  CASE WHEN t.typtype = 'e' THEN ARRAY(
    SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder
  ) END,
  t.typbasetype, coalesce(format_type(t.typbasetype, t.typtypmod), ''), n.nspname, t.typname
FROM used JOIN pg_catalog.pg_type t ON t.oid = used.oid
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype IN ('d', 'e')
"""
# Texts that a collation takes for equal, though they differ, are no promise either.
_KEYS: Final = """
SELECT k.conrelid, k.conkey::int[], nullif(k.confrelid, 0), coalesce(k.confkey::int[], '{}'),
  k.convalidated AND NOT k.condeferrable AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
    WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND NOT l.collisdeterministic)
FROM pg_catalog.pg_constraint k
WHERE k.conrelid = ANY (%(tables)s::oid[]) AND k.contype IN ('p', 'f') AND k.conparentid = 0
ORDER BY k.oid
"""
# Partial indexes and those of other kinds than btree are nothing that a definition can say.
# The texts of expressions are slow to ask for.
_INDEXES: Final = """
SELECT i.indrelid, i.indisunique, (i.indkey::int2[])[0:i.indnkeyatts - 1]::int[],
  CASE WHEN i.indexprs IS NULL THEN array_fill(''::text, ARRAY[i.indnkeyatts::int])
       ELSE ARRAY(SELECT coalesce(pg_get_indexdef(i.indexrelid, n, true), '')
                  FROM generate_series(1, i.indnkeyatts::int) n ORDER BY n)
  END
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
WHERE i.indrelid = ANY (%(tables)s::oid[])
  AND NOT i.indisprimary AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND m.amname = 'btree'
ORDER BY i.indexrelid
"""
_ENUMS: Final = """
SELECT n.nspname, t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder)
FROM pg_catalog.pg_type t
JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_enum e ON e.enumtypid = t.oid
WHERE n.nspname = ANY (%(schemas)s::text[])
GROUP BY n.nspname, t.typname
"""
_RELATIONS: Final = """
SELECT c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s
"""


def introspect(connection: "psycopg.Connection[Any]", schemas: Sequence[str] | None = None) -> Catalog:
    """The tables of some schemas, and of all others that they refer to, however far.

    `schemas` None, the default, means all but PostgreSQL's own; schemas that do not exist count as empty.
    Bookkeeping tables, whose names start with `~`, are left out. Reading takes one snapshot, unless the
    connection is inside a transaction already. No rights but to connect are needed.

    Raises `LostConnectionError`, or another of the typed errors.
    """
    wanted = None if schemas is None else list(schemas)
    return assemble(
        in_one_view(connection, lambda: despite_drops(connection, lambda: _rows(connection, wanted)))
    )


def _rows(connection: "psycopg.Connection[Any]", schemas: list[str] | None) -> CatalogRows:
    tables = tuple(TableRow(*row) for row in query(connection, _TABLES, schemas=schemas))
    oids = [table.oid for table in tables]
    return CatalogRows(
        tables=tables,
        columns=tuple(ColumnRow(*row) for row in query(connection, _COLUMNS, tables=oids)),
        types=tuple(
            TypeRow(oid, None if labels is None else tuple(labels), *rest)
            for oid, labels, *rest in query(connection, _TYPES, tables=oids)
        ),
        keys=tuple(
            KeyRow(table, tuple(columns), parent, tuple(parent_columns), is_enforced)
            for table, columns, parent, parent_columns, is_enforced in query(connection, _KEYS, tables=oids)
        ),
        indexes=tuple(
            IndexRow(table, is_unique, tuple(columns), tuple(texts))
            for table, is_unique, columns, texts in query(connection, _INDEXES, tables=oids)
        ),
        lineage=recorded_lineage(connection, sorted({table.schema for table in tables})),
    )


def enums_of(
    connection: "psycopg.Connection[Any]", schemas: Sequence[str]
) -> Mapping[str, Mapping[str, EnumType]]:
    """The enum types of some schemas, `schema -> type name -> labels`, as `plan_enums` wants them."""
    found: dict[str, dict[str, EnumType]] = defaultdict(dict)
    for schema, name, labels in query(connection, _ENUMS, schemas=list(schemas)):
        found[schema][name] = EnumType(tuple(labels))
    return found


def relation_names(connection: "psycopg.Connection[Any]", schema: str) -> frozenset[str]:
    """The names of all tables, indexes, views and sequences of a schema, hidden ones included."""
    return frozenset(name for (name,) in query(connection, _RELATIONS, schema=schema))
