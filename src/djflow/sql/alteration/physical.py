"""What the database calls the constraints and indexes of a table: definitions do not name them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from djflow.model.names import MAX_IDENTIFIER, TableName
from djflow.model.table import ForeignKey, IndexSpec
from djflow.sql.indexes import index_name, is_expression

_HASH: Final = 9  # "_" and eight digits, which tell namesakes apart

CONSTRAINTS: Final = r"""
SELECT n.nspname, t.relname, k.contype::text, k.conname,
  ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY c(number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.number ORDER BY c.place),
  coalesce(pn.nspname, ''), coalesce(p.relname, ''),
  ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY c(number, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.number ORDER BY c.place),
  CASE WHEN k.confdelsetcols IS NULL THEN substring(pg_get_constraintdef(k.oid) FROM '\)([^()]*)$') END
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
JOIN unnest($1::text[], $2::text[]) AS wanted(schema, tab)
  ON wanted.schema = n.nspname AND wanted.tab = t.relname
WHERE k.contype IN ('p', 'f')
ORDER BY k.oid
"""
INDEXES: Final = """
SELECT n.nspname, t.relname, c.relname, i.indisunique, coalesce(k.conname, ''),
  ARRAY(SELECT CASE WHEN i.indkey[item - 1] = 0 THEN '(' || pg_get_indexdef(i.indexrelid, item, true) || ')'
                    ELSE (SELECT a.attname::text FROM pg_catalog.pg_attribute a
                          WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[item - 1]) END
        FROM generate_series(1, i.indnkeyatts::int) item ORDER BY item)
FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_am m ON m.oid = c.relam
JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = c.oid AND k.contype = 'u'
JOIN unnest($1::text[], $2::text[]) AS wanted(schema, tab)
  ON wanted.schema = n.nspname AND wanted.tab = t.relname
WHERE NOT i.indisprimary AND i.indpred IS NULL AND m.amname = 'btree'
ORDER BY i.indexrelid
"""


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key by its constraint's name; `manner` is what its clause says after columns, if known."""

    name: str
    own: tuple[str, ...]
    parent: TableName
    referenced: tuple[str, ...]
    manner: str | None = None

    def is_of(self, key: ForeignKey) -> bool:
        """Whether this is the constraint of a foreign key."""
        pairs = set(zip(self.own, self.referenced, strict=True))
        return key.parent == self.parent and set(key.columns) == pairs


@dataclass(frozen=True, slots=True)
class Index:
    """An index; `constraint` is the unique constraint that owns it, "" for one on its own."""

    name: str
    items: tuple[str, ...]
    unique: bool
    constraint: str = ""

    @property
    def has_expression(self) -> bool:
        """Whether the server spells some item in its own way."""
        return any(is_expression(item) for item in self.items)

    def is_for(self, table: TableName, spec: IndexSpec) -> bool:
        """Whether this index was made for an index line with expressions: names tell, texts do not.

        >>> Index("idx_subject_expr_b6b23299", ("(lower((name)::text))",), False).is_for(
        ...     TableName("lab", "subject"), IndexSpec(("(lower(name))",)))
        True
        """
        usual = index_name(table.table, spec)
        cut = usual.encode()[: MAX_IDENTIFIER - _HASH].decode(errors="ignore")
        is_namesake = self.name.startswith(f"{cut}_") and len(self.name) == len(cut) + _HASH
        return spec.unique == self.unique and (self.name == usual or is_namesake)


@dataclass(frozen=True, slots=True)
class Physical:
    """The constraints and indexes of one table."""

    primary: str = ""
    references: tuple[Reference, ...] = ()
    indexes: tuple[Index, ...] = field(default=())


def physical_tables(
    constraints: Iterable[Sequence[Any]], indexes: Iterable[Sequence[Any]]
) -> dict[TableName, Physical]:
    """The rows of `CONSTRAINTS` and `INDEXES` by table."""
    primary: dict[TableName, str] = {}
    references: dict[TableName, list[Reference]] = {}
    found: dict[TableName, list[Index]] = {}
    for schema, table, kind, name, own, parent_schema, parent, referenced, manner in constraints:
        owner = TableName(schema, table)
        if kind == "p":
            primary[owner] = name
        else:
            target = TableName(parent_schema, parent)
            reference = Reference(name, tuple(own), target, tuple(referenced), manner)
            references.setdefault(owner, []).append(reference)
    for schema, table, name, unique, constraint, items in indexes:
        found.setdefault(TableName(schema, table), []).append(Index(name, tuple(items), unique, constraint))
    return {
        name: Physical(primary.get(name, ""), tuple(references.get(name, ())), tuple(found.get(name, ())))
        for name in {*primary, *references, *found}
    }
