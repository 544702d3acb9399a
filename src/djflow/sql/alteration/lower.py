"""Changes to statements, in an order in which each finds what it needs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from djflow.errors import AlterationError
from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import EnumType
from djflow.sql.alteration.actions import (
    alter_table,
    comment_of,
    comment_text,
    fill_from_parent,
    has_same_type,
    is_serial,
    set_default,
)
from djflow.sql.alteration.casts import cast, physical_sql
from djflow.sql.alteration.changes import (
    AddColumn,
    AddForeignKey,
    AddIndex,
    Change,
    ChangeDefault,
    ChangeNullability,
    ChangePrimaryKey,
    ChangeTableComment,
    ChangeType,
    DropColumn,
    DropForeignKey,
    DropIndex,
    RenameColumn,
)
from djflow.sql.alteration.compare import kept_key
from djflow.sql.alteration.delta import Delta, Deltas, Fill, FromParent, inherited
from djflow.sql.alteration.physical import Physical
from djflow.sql.ddl import (
    column_clause,
    column_type,
    create_table,
    default_value,
    foreign_key_clause,
)
from djflow.sql.enums import SchemaEnum, enum_of
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.indexes import create_these

_C = TypeVar("_C", bound=Change)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the database has: names of constraints and indexes, of enum types, of all relations by schema."""

    physical: Mapping[TableName, Physical]
    enum_names: Mapping[SchemaEnum, str]
    taken: Mapping[str, frozenset[str]]


Changes = Mapping[TableName, tuple[Change, ...]]


def new_enums(deltas: Deltas, changes: Changes) -> tuple[SchemaEnum, ...]:
    """The enum types that added and retyped columns need and that the database may not have."""
    found = []
    for name, delta in deltas.items():
        for column in (*delta.added, *(c.new for c in changes[name] if isinstance(c, ChangeType))):
            enum = enum_of(delta.new, column)
            if enum is not None and not enum.type.sql_name:
                found.append(enum)
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Statements:
    """The statements of an alteration: new tables get their contents between the two halves."""

    shapes: tuple[str, ...] = ()
    references: tuple[str, ...] = ()


def lower(
    deltas: Deltas, changes: Changes, around: Surroundings, created: Iterable[Table] = ()
) -> Statements:
    """The statements that make the changes, to be run in one transaction; enum types must exist.

    References and keys that are in the way go first, columns change, values are filled in, keys come back,
    tables that are missing are `created` (parents first), and references come back.
    """
    lowering = _Lowering(deltas, changes, around)
    parents_first, children_first = list(deltas.values()), list(deltas.values())[::-1]
    going = (lowering.drop_references, lowering.drop_keys_and_indexes)
    coming = (
        lowering.rename,
        lowering.shape,
        lowering.fill,
        lowering.require,
        lowering.drop_columns,
        lowering.add_keys,
        lowering.add_indexes,
    )
    shapes = [
        *(each for phase in going for delta in children_first for each in phase(delta)),
        *(each for phase in coming for delta in parents_first for each in phase(delta)),
    ]
    for table in created:
        taken = around.taken.get(table.name.schema, frozenset())
        shapes += create_table(table, enum_names=around.enum_names, taken_names=taken)
    last = (lowering.add_references, lowering.comments)
    references = tuple(each for phase in last for delta in parents_first for each in phase(delta))
    return Statements(tuple(shapes), references)


@dataclass(frozen=True, slots=True)
class _Lowering:
    deltas: Deltas
    changes: Changes
    around: Surroundings

    def drop_references(self, delta: Delta) -> Iterator[str]:
        going = {c.key for c in self._of(delta, DropForeignKey)} | {key for key, _ in self._rebuilt(delta)}
        for reference in self._physical(delta).references:
            if any(reference.is_of(key) for key in going):
                yield alter_table(delta, f"DROP CONSTRAINT {quote(reference.name)}")

    def drop_keys_and_indexes(self, delta: Delta) -> Iterator[str]:
        constraints = {index.name: index.constraint for index in self._physical(delta).indexes}
        for change in self._of(delta, DropIndex):
            if constraints.get(change.name):
                yield alter_table(delta, f"DROP CONSTRAINT {quote(constraints[change.name])}")
            elif change.name:
                yield f"DROP INDEX {qualified(TableName(delta.name.schema, change.name))}"
        if self._of(delta, ChangePrimaryKey) and self._physical(delta).primary:
            yield alter_table(delta, f"DROP CONSTRAINT {quote(self._physical(delta).primary)}")

    def rename(self, delta: Delta) -> Iterator[str]:
        for change in self._of(delta, RenameColumn):
            yield alter_table(delta, f"RENAME COLUMN {quote(change.old)} TO {quote(change.new)}")

    def shape(self, delta: Delta) -> Iterator[str]:
        """Columns added and retyped, at once: the server rewrites the table once."""
        actions = [
            *(action for change in self._of(delta, AddColumn) for action in self._added(delta, change)),
            *(action for change in self._of(delta, ChangeType) for action in self._retyped(delta, change)),
        ]
        if actions:
            yield alter_table(delta, *actions)
        defaults = [
            *(
                f"ALTER COLUMN {quote(change.column.name)} {set_default(change.column)}"
                for change in self._of(delta, AddColumn)
                if isinstance(change.source, Fill)
            ),
            *self._defaults(delta),
        ]
        if defaults:
            yield alter_table(delta, *defaults)

    def _added(self, delta: Delta, change: AddColumn) -> Iterator[str]:
        column, source = change.column, change.source
        match source:
            case FromParent():
                yield f"ADD COLUMN {quote(column.name)} {self._type(delta.new, column)}"
            case Fill(value):
                null = "" if column.nullable else " NOT NULL"
                yield (
                    f"ADD COLUMN {quote(column.name)} {self._type(delta.new, column)}{null}"
                    f" DEFAULT {literal(value.text)}"
                )
            case None:
                yield f"ADD COLUMN {self._clause(delta.new, column)}"

    def _retyped(self, delta: Delta, change: ChangeType) -> Iterator[str]:
        old, new = change.old, change.new
        if is_serial(new) and not is_serial(old) and new.name not in inherited(delta.new):
            raise AlterationError(
                f"{delta.name}: {old.name!r} cannot become a {new.type}, which counts by itself. "
                "Add a new attribute of that type and drop this one.",
                table=str(delta.name),
            )
        name, target = quote(new.name), self._type(delta.new, new)
        if has_same_type(old, new):
            return
        if old.default is not None or is_serial(old):
            yield f"ALTER COLUMN {name} DROP DEFAULT"
        if physical_sql(old.stored) != target or isinstance(old.stored, EnumType):
            yield f"ALTER COLUMN {name} TYPE {target} USING {cast(name, old.stored, target)}"

    def _defaults(self, delta: Delta) -> Iterator[str]:
        retyped = {c.new.name for c in self._of(delta, ChangeType) if not has_same_type(c.old, c.new)}
        changed = {c.new.name for c in self._of(delta, ChangeDefault)}
        for old, new in delta.kept:
            is_lost = new.name in retyped and (old.default is not None or is_serial(old))
            if new.name in changed or (is_lost and new.default is not None):
                yield f"ALTER COLUMN {quote(new.name)} {set_default(new)}"

    def fill(self, delta: Delta) -> Iterator[str]:
        for change in self._of(delta, AddColumn):
            if isinstance(change.source, FromParent):
                yield fill_from_parent(delta, change.column, change.source)
        for nulls in self._of(delta, ChangeNullability):
            if nulls.fill is not None:
                name = quote(nulls.new.name)
                value = literal(nulls.fill.value.text)
                yield f"UPDATE {qualified(delta.name)} SET {name} = {value} WHERE {name} IS NULL"

    def require(self, delta: Delta) -> Iterator[str]:
        for nulls in self._of(delta, ChangeNullability):
            word = "DROP" if nulls.new.nullable else "SET"
            yield alter_table(delta, f"ALTER COLUMN {quote(nulls.new.name)} {word} NOT NULL")
        for change in self._of(delta, AddColumn):
            if isinstance(change.source, FromParent) and not change.column.nullable:
                yield alter_table(delta, f"ALTER COLUMN {quote(change.column.name)} SET NOT NULL")

    def drop_columns(self, delta: Delta) -> Iterator[str]:
        actions = [f"DROP COLUMN {quote(change.column.name)}" for change in self._of(delta, DropColumn)]
        if actions:
            yield alter_table(delta, *actions)

    def add_keys(self, delta: Delta) -> Iterator[str]:
        if self._of(delta, ChangePrimaryKey):
            names = ", ".join(quote(name) for name in delta.new.primary_key)
            yield alter_table(delta, f"ADD PRIMARY KEY ({names})")

    def add_indexes(self, delta: Delta) -> Iterator[str]:
        specs = [change.index for change in self._of(delta, AddIndex)]
        gone = {change.name for change in self._of(delta, DropIndex)}
        taken = self.around.taken.get(delta.name.schema, frozenset()) - gone
        yield from create_these(delta.new, specs, taken)

    def add_references(self, delta: Delta) -> Iterator[str]:
        clauses = [foreign_key_clause(change.key) for change in self._of(delta, AddForeignKey)]
        for key, kept in self._rebuilt(delta):
            manners = [ref.manner for ref in self._physical(delta).references if ref.is_of(key)]
            known = [manner for manner in manners if manner is not None]
            clauses.append(foreign_key_clause(kept, *known[:1]))
        for clause in dict.fromkeys(clauses):
            yield alter_table(delta, f"ADD {clause}")

    def comments(self, delta: Delta) -> Iterator[str]:
        if self._of(delta, ChangeTableComment):
            yield f"COMMENT ON TABLE {qualified(delta.name)} IS {comment_text(delta.new.comment)}"
        before = {delta.names[old.name]: comment_of(delta.old, old) for old, _ in delta.kept}
        for column in delta.new.columns:
            comment = comment_of(delta.new, column)
            if comment != before.get(column.name, ""):
                place = f"{qualified(delta.name)}.{quote(column.name)}"
                yield f"COMMENT ON COLUMN {place} IS {comment_text(comment)}"

    def _rebuilt(self, delta: Delta) -> Iterator[tuple[ForeignKey, ForeignKey]]:
        """References that stay and yet stand in the way of a new type or key on one of their sides."""
        dropped = {change.key for change in self._of(delta, DropForeignKey)}
        mine = {c.old.name for c in self._of(delta, ChangeType)}
        for key in delta.old.foreign_keys:
            kept = kept_key(key, delta, self.deltas)
            if key in dropped or kept is None:
                continue
            parent = self.deltas.get(key.parent)
            theirs = {c.old.name for c in self._of(parent, ChangeType)} if parent else set()
            is_rekeyed = parent is not None and parent.key_changes
            if is_rekeyed or mine & set(key.own) or theirs & set(key.referenced):
                yield key, kept

    def _type(self, table: Table, column: Attribute) -> str:
        if isinstance(column.stored, EnumType) and column.stored.sql_name:
            return column.stored.sql_name
        return column_type(table, column, self.around.enum_names)

    def _clause(self, table: Table, column: Attribute) -> str:
        if isinstance(column.stored, EnumType) and column.stored.sql_name:
            null = "" if column.nullable else " NOT NULL"
            default = "" if column.default is None else f" DEFAULT {default_value(column.default, column)}"
            return f"{quote(column.name)} {column.stored.sql_name}{null}{default}"
        return column_clause(table, column, self.around.enum_names)

    def _physical(self, delta: Delta) -> Physical:
        return self.around.physical.get(delta.name, Physical())

    def _of(self, delta: Delta, kind: type[_C]) -> list[_C]:
        return [change for change in self.changes[delta.name] if isinstance(change, kind)]
