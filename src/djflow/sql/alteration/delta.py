"""A table before and after an alteration, column by column."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from djflow.errors import AlterationError, did_you_mean
from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Literal, Table
from djflow.sql.alteration.itself import with_references


@dataclass(frozen=True, slots=True)
class FromParent:
    """A new column's values come from the row that a foreign key refers to.

    `column` is the parent's; `pairs` join the two, own and parent's names once columns are renamed.
    """

    parent: TableName
    column: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Fill:
    """A column's missing values become a constant, in the canonical text of the column's type."""

    value: Literal


Source: TypeAlias = FromParent | Fill
KeyLink: TypeAlias = tuple[ForeignKey, ForeignKey]


@dataclass(frozen=True, slots=True)
class Delta:
    """A table as it is and as it shall be.

    `new` lists its columns in the order that the server will have: those kept stay in place, those added
    follow. `names` maps the columns that are kept to their names afterwards; `links` pairs foreign keys
    that are kept, perhaps with other columns, before and after; `is_asked` is False for tables that follow
    what they depend on.
    """

    old: Table
    new: Table
    names: Mapping[str, str]
    sources: Mapping[str, Source] = field(default_factory=dict)
    links: tuple[KeyLink, ...] = ()
    is_asked: bool = True

    @property
    def name(self) -> TableName:
        """The table's name."""
        return self.new.name

    @property
    def key_changes(self) -> bool:
        """Whether the primary key has other columns afterwards, whatever they are called."""
        return {self.names.get(name) for name in self.old.primary_key} != set(self.new.primary_key)

    @property
    def kept(self) -> tuple[tuple[Attribute, Attribute], ...]:
        """The columns that are kept, before and after."""
        after = columns_of(self.new)
        return tuple((c, after[self.names[c.name]]) for c in self.old.columns if c.name in self.names)

    @property
    def added(self) -> tuple[Attribute, ...]:
        """The columns that are new."""
        kept = set(self.names.values())
        return tuple(c for c in self.new.columns if c.name not in kept)

    @property
    def dropped(self) -> tuple[Attribute, ...]:
        """The columns that go."""
        return tuple(c for c in self.old.columns if c.name not in self.names)

    def now(self, column: str) -> str:
        """A former column's name once columns are renamed and before any is dropped."""
        return self.names.get(column, column)


Deltas: TypeAlias = Mapping[TableName, Delta]


def columns_of(table: Table) -> dict[str, Attribute]:
    """A table's columns by name."""
    return {column.name: column for column in table.columns}


def inherited(table: Table) -> frozenset[str]:
    """The columns that came with foreign keys, as a definition states them: to other tables."""
    return frozenset(own for fk in table.foreign_keys if fk.parent != table.name for own in fk.own)


def asked_delta(old: Table, new: Table, renames: Mapping[str, str], deltas: Deltas) -> Delta:
    """The way from a table to a new definition of it.

    `renames` maps old names to new ones; attributes that came with a foreign key follow their parent's names
    by themselves. Hidden columns outside the key stay, and so do foreign keys of the table to itself.

    Raises `AlterationError` for a rename of what is not there, or to what is.
    """
    new = _with_hidden(old, new)
    _check_renames(old, new, renames)
    names = {c.name: c.name for c in old.columns if c.name in columns_of(new)} | dict(renames)
    links = []
    for old_key, new_key in _linked(old, new, renames, deltas):
        links.append((old_key, new_key))
        for own, after, _ in surviving_pairs(old_key, deltas, renames):
            if own not in names and after in columns_of(new) and after not in names.values():
                names[own] = after
    new = with_references(old, new, names)
    return placed(Delta(old, new, names, links=tuple(links)), deltas)


def surviving_pairs(
    key: ForeignKey, deltas: Deltas, renames: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    """What stays of a foreign key when its parent changes: `(own before, own after, parent's after)`.

    A column that has the name of what it refers to keeps having it, unless `renames` says otherwise.
    """
    parent = deltas.get(key.parent)
    if parent is None:
        return tuple((own, renames.get(own, own), referenced) for own, referenced in key.columns)
    refers_to_key = set(key.referenced) <= set(parent.old.primary_key)
    pairs = []
    for own, referenced in key.columns:
        after = parent.names.get(referenced)
        if after is None or (refers_to_key and after not in parent.new.primary_key):
            continue
        follows = after if own == referenced else own
        pairs.append((own, renames.get(own, follows), after))
    return tuple(pairs)


def placed(delta: Delta, deltas: Deltas) -> Delta:
    """The same with columns in the order that the server will have, and with the sources of new columns."""
    by_name = columns_of(delta.new)
    kept = [by_name[delta.names[c.name]] for c in delta.old.columns if c.name in delta.names]
    new = replace(delta.new, columns=(*kept, *delta.added))
    added = {column.name for column in delta.added}
    sources: dict[str, Source] = {}
    for old_key, new_key in delta.links:
        parent = deltas.get(new_key.parent)
        pairs = tuple(
            (delta.now(own), parent.now(referenced) if parent else referenced)
            for own, referenced in old_key.columns
        )
        for own, referenced in new_key.columns:
            if own in added:
                sources.setdefault(own, FromParent(new_key.parent, referenced, pairs))
    return replace(delta, new=new, sources=sources)


def _linked(old: Table, new: Table, renames: Mapping[str, str], deltas: Deltas) -> Iterable[KeyLink]:
    """Foreign keys before and after that mean the same reference."""
    waiting = list(new.foreign_keys)

    def surviving(key: ForeignKey) -> set[tuple[str, str]]:
        return {(after, referenced) for _, after, referenced in surviving_pairs(key, deltas, renames)}

    # Those of which most survives first: less is matched by more.
    for key in sorted(old.foreign_keys, key=lambda key: -len(surviving(key))):
        matches: Callable[[ForeignKey], bool] = lambda other, key=key: (  # type: ignore[misc]  # noqa: E731
            other.parent == key.parent and surviving(key) <= set(other.columns)
        )
        found = next(filter(matches, waiting), None)
        if found is not None:
            waiting.remove(found)
            yield key, found


def _with_hidden(old: Table, new: Table) -> Table:
    known = columns_of(new)
    hidden = (c for c in old.columns if c.is_hidden and not c.in_key and c.name not in known)
    return replace(new, columns=(*new.columns, *hidden))


def _check_renames(old: Table, new: Table, renames: Mapping[str, str]) -> None:
    before, after = columns_of(old), columns_of(new)
    for source, target in renames.items():
        if source not in before:
            raise _refused(old, f"it has no attribute {source!r}.{did_you_mean(source, list(before))}")
        if target not in after:
            raise _refused(
                old, f"its definition has no attribute {target!r}.{did_you_mean(target, list(after))}"
            )
        if source in after:
            raise _refused(old, f"its definition still has {source!r}, which the rename would replace")
        if target in before:
            raise _refused(old, f"{target!r} exists already; drop it in an alteration of its own first")
    if len(set(renames.values())) < len(renames):
        raise _refused(old, "two attributes would get one name")


def _refused(table: Table, reason: str) -> AlterationError:
    return AlterationError(
        f"Cannot rename in {table.name}: {reason}.".replace("..", "."), table=str(table.name)
    )
