"""What introspection reads: rows of PostgreSQL's catalogue, one class a query."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from djflow.model.names import TableName


@dataclass(frozen=True, slots=True)
class TableRow:
    """A table by its object identifier."""

    oid: int
    schema: str
    table: str
    comment: str

    @property
    def name(self) -> TableName:
        """The table's name."""
        return TableName(self.schema, self.table)


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """A column; `sql` is the type as `format_type` writes it, `default` the expression as text."""

    table: int
    number: int
    name: str
    is_required: bool
    type: int
    sql: str
    default: str | None
    comment: str


@dataclass(frozen=True, slots=True)
class TypeRow:
    """An enum with its labels, or a domain with its base type."""

    oid: int
    labels: tuple[str, ...] | None
    base: int
    base_sql: str
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A primary key (`parent` is None) or a foreign key; columns by number."""

    table: int
    columns: tuple[int, ...]
    parent: int | None
    parent_columns: tuple[int, ...]
    is_enforced: bool = True


@dataclass(frozen=True, slots=True)
class IndexRow:
    """An index; an item is a column's number, or 0 with the expression's text."""

    table: int
    is_unique: bool
    columns: tuple[int, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CatalogRows:
    """All rows of one introspection; `lineage` holds those tables that have rows in `~lineage`."""

    tables: tuple[TableRow, ...] = ()
    columns: tuple[ColumnRow, ...] = ()
    types: tuple[TypeRow, ...] = ()
    keys: tuple[KeyRow, ...] = ()
    indexes: tuple[IndexRow, ...] = ()
    lineage: Mapping[TableName, Mapping[str, str]] = field(default_factory=dict)
