"""What PostgreSQL knows of tables beyond what a definition can say: check constraints, triggers, and more."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from djflow.model.names import TableName

if TYPE_CHECKING:
    from djflow.backend.session import Session

# A foreign key as definitions declare it: ON UPDATE CASCADE ON DELETE RESTRICT, checked at once. One to the
# table itself no definition declares; it is as usual without any of this, too.
_FACTS: Final = r"""
WITH own AS (
  SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND left(c.relname, 1) <> '~'
)
SELECT own.relname, f.fact FROM own, LATERAL (
  SELECT 1, k.conname, pg_get_constraintdef(k.oid) AS fact
  FROM pg_catalog.pg_constraint k WHERE k.conrelid = own.oid AND (
    k.contype IN ('c', 'x') OR k.contype = 'u' AND k.condeferrable
    OR k.contype = 'f' AND (k.confdeltype NOT IN ('r', 'a') OR k.condeferrable
      OR k.confupdtype <> 'c' AND (k.confupdtype <> 'a' OR k.confrelid <> k.conrelid)
      OR NOT k.convalidated OR k.confmatchtype <> 's'))
  UNION ALL
  SELECT 2, c.relname, pg_get_indexdef(i.indexrelid)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
  WHERE i.indrelid = own.oid AND NOT i.indisexclusion AND (m.amname <> 'btree' OR i.indpred IS NOT NULL
    OR i.indnatts > i.indnkeyatts OR i.indoption::text ~ '[1-9]')
  UNION ALL
  SELECT 3, t.tgname, pg_get_triggerdef(t.oid)
  FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = own.oid AND NOT t.tgisinternal AND left(t.tgname, 7) <> '~watch_' -- for a while only
  UNION ALL
  SELECT 4, p.polname, 'row-level security policy ' || quote_ident(p.polname)
  FROM pg_catalog.pg_policy p WHERE p.polrelid = own.oid
  UNION ALL
  SELECT 5, a.attname, a.attname || CASE
    WHEN a.attgenerated <> '' THEN ' is generated: ' || pg_get_expr(d.adbin, d.adrelid)
    WHEN a.attidentity <> '' THEN ' is an identity column'
    ELSE ' has the domain ' || format_type(a.atttypid, a.atttypmod) END
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = own.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND (a.attgenerated <> '' OR a.attidentity <> '' OR t.typtype = 'd')
) AS f(kind, name, fact)
ORDER BY own.relname, f.kind, f.name
"""
_DEFAULTS: Final = """
SELECT c.relname, a.attname, pg_get_expr(d.adbin, d.adrelid)
FROM pg_catalog.pg_attrdef d
JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND NOT a.attisdropped AND a.attgenerated = ''
"""


def unmodelled_facts(session: "Session", schema: str) -> Mapping[TableName, Sequence[str]]:
    """Check constraints, partial and special indexes, triggers, policies, generated columns, by table.

    Each is a text to show to people. No rights but to connect are needed.
    """
    found: dict[TableName, list[str]] = defaultdict(list)
    for table, fact in session.execute(_FACTS, [schema]):
        found[TableName(schema, table)].append(fact)
    return found


def default_expressions(session: "Session", schema: str) -> Mapping[tuple[TableName, str], str]:
    """The defaults of a schema's columns as PostgreSQL writes them, by table and column."""
    rows = session.execute(_DEFAULTS, [schema])
    return {(TableName(schema, table), column): default for table, column, default in rows}
