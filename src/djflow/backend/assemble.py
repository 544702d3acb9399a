"""Rows of PostgreSQL's catalogue to a `Catalog`. Pure: nothing here talks to a server."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from djflow.backend.catalog_rows import CatalogRows, ColumnRow, IndexRow, KeyRow, TableRow, TypeRow
from djflow.backend.column_types import (
    ColumnType,
    declared_type,
    default_of,
    fits,
    on_one_line,
    physical_type,
    plain_comment,
)
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, IndexSpec, Table
from djflow.model.types import EnumType, StoredType
from djflow.sql.indexes import implied_index


class _OfTable(Protocol):
    @property
    def table(self) -> int: ...


_Row = TypeVar("_Row", bound=_OfTable)
_Column = tuple[int, int]  # the table's identifier and the column's number


def assemble(rows: CatalogRows) -> Catalog:
    """The tables that the rows describe.

    A foreign key's columns without a declared type of their own take the type and the lineage of what
    they refer to. Rows that refer to tables or columns which are not there are left out: a table may
    have been dropped or altered between two queries.

    >>> from djflow.backend.catalog_rows import ColumnRow, KeyRow, TableRow
    >>> rows = CatalogRows(
    ...     tables=(TableRow(1, "lab", "#species", "species"),),
    ...     columns=(ColumnRow(1, 1, "species", True, 1043, "character varying(20)", None, ":varchar(20):"),),
    ...     keys=(KeyRow(1, (1,), None, ()),),
    ... )
    >>> [table] = assemble(rows).tables
    >>> str(table.name), table.primary_key
    ('lab.#species', ('species',))
    """
    return Catalog(_Assembly.of(rows).tables())


@dataclass(slots=True)
class _Assembly:
    """The rows by table, and the answers found so far."""

    names: Mapping[int, TableName]
    columns: Mapping[_Column, ColumnRow]
    types: Mapping[int, TypeRow]
    primary: Mapping[int, tuple[int, ...]]
    foreign: Mapping[int, Sequence[KeyRow]]
    parents: Mapping[_Column, Sequence[_Column]]
    indexes: Mapping[int, Sequence[IndexRow]]
    rows: CatalogRows
    known_types: dict[_Column, ColumnType] = field(default_factory=dict)
    known_lineages: dict[_Column, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: CatalogRows) -> "_Assembly":
        names = {row.oid: row.name for row in rows.tables}
        columns = {(row.table, row.number): row for row in rows.columns if row.table in names}
        foreign = [key for key in rows.keys if key.parent is not None and _is_whole(key, columns)]
        return cls(
            names=names,
            columns=columns,
            types={row.oid: row for row in rows.types},
            primary={
                key.table: key.columns for key in rows.keys if key.parent is None and _is_whole(key, columns)
            },
            foreign=_by_table(foreign),
            parents=_parents(foreign),
            indexes=_by_table(
                index for index in rows.indexes if _has_all(index.table, index.columns, columns)
            ),
            rows=rows,
        )

    def tables(self) -> tuple[Table, ...]:
        columns = _by_table(self.columns.values())
        ordered = sorted(self.rows.tables, key=lambda row: self.names[row.oid])
        return tuple(self._table(row, columns.get(row.oid, ())) for row in ordered)

    def _table(self, row: TableRow, columns: Sequence[ColumnRow]) -> Table:
        attributes = tuple(self._attribute(column) for column in columns)
        foreign_keys = self._foreign_keys(row.oid)
        indexes = self._indexes(row.oid, foreign_keys)
        return Table(self.names[row.oid], on_one_line(row.comment), attributes, foreign_keys, indexes)

    def _attribute(self, row: ColumnRow) -> Attribute:
        column = (row.table, row.number)
        type_ = self._type(column)
        return Attribute(
            row.name,
            type_.type,
            type_.stored,
            in_key=row.number in self.primary.get(row.table, ()),
            nullable=not row.is_required,
            default=default_of(row, type_.type),
            comment=type_.comment,
            lineage=self._lineage(column),
        )

    def _type(self, column: _Column) -> ColumnType:
        if column not in self.known_types:
            row = self.columns[column]
            physical = physical_type(row, self.types)
            declared = declared_type(row.comment, physical)
            if declared is None:
                comment = plain_comment(row.comment)
                # Known before the parent is asked, so that references in a circle end.
                self.known_types[column] = ColumnType(physical, physical, comment)
                declared = self._inherited(column, physical, comment)
            self.known_types[column] = declared
        return self.known_types[column]

    def _inherited(self, column: _Column, physical: StoredType, comment: str) -> ColumnType:
        """The type of a column whose comment declares none: that of what it refers to, where it fits."""
        for parent in self.parents.get(column, ()):
            inherited = self._type(parent)
            if fits(inherited.stored, physical):
                stored = physical if isinstance(physical, EnumType) else inherited.stored
                return ColumnType(inherited.type, stored, comment)
        return ColumnType(physical, physical, comment)

    def _lineage(self, column: _Column) -> str | None:
        if column not in self.known_lineages:
            table, number = column
            name = self.columns[column].name
            recorded = self.rows.lineage.get(self.names[table])
            if recorded is not None:
                self.known_lineages[column] = recorded.get(name)
            else:
                in_key = number in self.primary.get(table, ())
                # Known before the parent is asked, so that references in a circle end.
                self.known_lineages[column] = f"{self.names[table]}.{name}" if in_key else None
                if parents := self.parents.get(column):
                    self.known_lineages[column] = self._lineage(parents[0])
        return self.known_lineages[column]

    def _foreign_keys(self, table: int) -> tuple[ForeignKey, ...]:
        keys = self.foreign.get(table, ())
        primary = self.primary.get(table, ())
        in_key = [key for key in keys if set(key.columns) <= set(primary)]
        ordered = [*_in_line_order(in_key), *_in_line_order([key for key in keys if key not in in_key])]
        return tuple(self._foreign_key(key, in_key=key in in_key) for key in ordered)

    def _foreign_key(self, key: KeyRow, *, in_key: bool) -> ForeignKey:
        parent = key.parent or 0
        order = list(self.primary.get(parent, ()))
        pairs = sorted(
            zip(key.columns, key.parent_columns, strict=True),
            key=lambda pair: order.index(pair[1]) if pair[1] in order else len(order),
        )
        unique = {frozenset(index.columns) for index in self.indexes.get(key.table, ()) if index.is_unique}
        return ForeignKey(
            self.names[parent],
            tuple((self.columns[key.table, own].name, self.columns[parent, its].name) for own, its in pairs),
            in_key=in_key,
            nullable=any(not self.columns[key.table, own].is_required for own in key.columns),
            unique=frozenset(key.columns) in unique,
            is_enforced=key.is_enforced,
        )

    def _indexes(self, table: int, foreign_keys: Iterable[ForeignKey]) -> tuple[IndexSpec, ...]:
        primary = tuple(self.columns[table, number].name for number in self.primary.get(table, ()))
        implied = {implied_index(fk, primary) for fk in foreign_keys}
        # Restoring a dump creates indexes in the order of their names, so the order of creation says nothing.
        rows = sorted(self.indexes.get(table, ()), key=lambda row: (row.columns, row.texts, row.is_unique))
        specs = (self._index(row) for row in rows)
        return tuple(spec for spec in specs if spec not in implied)

    def _index(self, row: IndexRow) -> IndexSpec:
        items = (
            self.columns[row.table, number].name if number else _in_parentheses(text)
            for number, text in zip(row.columns, row.texts, strict=True)
        )
        return IndexSpec(tuple(items), row.is_unique)


def _by_table(rows: Iterable[_Row]) -> Mapping[int, list[_Row]]:
    grouped: dict[int, list[_Row]] = defaultdict(list)
    for row in rows:
        grouped[row.table].append(row)
    return grouped


def _parents(keys: Iterable[KeyRow]) -> Mapping[_Column, list[_Column]]:
    """The columns that a column refers to directly, where there are any."""
    found: dict[_Column, list[_Column]] = defaultdict(list)
    for key in keys:
        for own, its in zip(key.columns, key.parent_columns, strict=True):
            if key.parent is not None:
                found[key.table, own].append((key.parent, its))
    return found


def _is_whole(key: KeyRow, columns: Mapping[_Column, ColumnRow]) -> bool:
    own = _has_all(key.table, key.columns, columns)
    return own and all((key.parent, number) in columns for number in key.parent_columns)


def _has_all(table: int, numbers: Iterable[int], columns: Mapping[_Column, ColumnRow]) -> bool:
    """Whether these columns of a table are there; 0 stands for an expression."""
    return all((table, number) in columns for number in numbers if number)


def _in_line_order(keys: Sequence[KeyRow]) -> Sequence[KeyRow]:
    """Foreign keys as a definition lists them: each brings columns that stand after the previous one's.

    The order of creation is the definition's, unless the database was restored from a dump, which
    creates constraints in the order of their names.
    """
    seen: set[int] = set()
    last = 0
    for key in keys:
        new = set(key.columns) - seen
        if new and min(new) < last:
            return sorted(keys, key=lambda key: sorted(key.columns))
        last = max([last, *new])
        seen |= new
    return keys


def _in_parentheses(text: str) -> str:
    return text if text.startswith("(") else f"({text})"
