"""What else in the database stands on columns that an alteration drops or gives another type."""

from collections.abc import Iterable, Iterator
from typing import Final

from djflow.model.types import EnumType
from djflow.sql.alteration.actions import has_same_type
from djflow.sql.alteration.casts import physical_sql
from djflow.sql.alteration.changes import Change, ChangeType, DropColumn

# A column's own default depends on it as well, which is no obstacle.
DEPENDENTS: Final = """
SELECT DISTINCT n.nspname::text, c.relname::text, a.attname::text,
  CASE WHEN v.relkind IN ('v', 'm')
    THEN 'the ' || CASE v.relkind WHEN 'm' THEN 'materialized ' ELSE '' END
      || 'view ' || vn.nspname || '.' || v.relname
    ELSE 'the ' || pg_describe_object(d.classid, d.objid, d.objsubid) END
FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(schema, tab, col)
JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.tab
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = wanted.col AND NOT a.attisdropped
JOIN pg_catalog.pg_depend d
  ON d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
LEFT JOIN pg_catalog.pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_catalog.pg_class v ON v.oid = r.ev_class
LEFT JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
LEFT JOIN pg_catalog.pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
LEFT JOIN pg_catalog.pg_attribute g
  ON g.attrelid = e.adrelid AND g.attnum = e.adnum AND g.attgenerated <> '' AND g.attnum <> a.attnum
WHERE d.classid IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass)
  OR g.attnum IS NOT NULL
ORDER BY 1, 2, 3, 4
"""


def disturbing(changes: Iterable[Change]) -> Iterator[tuple[str, Change]]:
    """The columns, by their names so far, that the server alters only where nothing else uses them."""
    for change in changes:
        match change:
            case DropColumn(column):
                yield column.name, change
            case ChangeType(old, new) if not has_same_type(old, new):
                if isinstance(old.stored, EnumType) or physical_sql(old.stored) != physical_sql(new.stored):
                    yield old.name, change
            case _:
                pass
