"""Which tables an alteration changes: those asked for, and those that inherit from their keys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from djflow.errors import AlterationError
from djflow.model.catalog import Catalog, topological_order
from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, IndexSpec, Null, Table
from djflow.sql.alteration.delta import (
    Delta,
    Deltas,
    asked_delta,
    columns_of,
    inherited,
    placed,
    surviving_pairs,
)
from djflow.sql.alteration.itself import carried, keys_to_itself

Lookup = Callable[[TableName], Table | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table with a new definition: what it refers to, and its model once those are known.

    `renames` maps names of attributes, old to new.
    """

    parents: frozenset[TableName]
    bound: Callable[[Lookup], Table]
    renames: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Target:
    """The tables that change, parents first, and those that do not exist yet."""

    deltas: Mapping[TableName, Delta]
    created: tuple[Table, ...] = ()


def follow(catalog: Catalog, wanted: Mapping[TableName, Wanted]) -> Target:
    """What the tables of a database become once some have new definitions.

    Tables that refer to an altered primary key take part: attributes that they inherit are added, renamed,
    retyped or dropped with it, and so on down the graph.

    Raises `AlterationError` where that is not possible without a decision: an added key attribute has a
    namesake in a descendant, for example.
    """
    deltas: dict[TableName, Delta] = {}
    created: dict[TableName, Table] = {}

    def lookup(name: TableName) -> Table | None:
        if name in deltas:
            return deltas[name].new
        if name in created:
            return created[name]
        return catalog[name] if name in catalog else None  # noqa: SIM401 - a catalog is no mapping

    for name in _order(catalog, wanted):
        if name not in wanted:
            following = _following(catalog[name], deltas)
            if following.new != following.old:
                deltas[name] = following
            continue
        new = wanted[name].bound(lookup)
        if name in catalog:
            deltas[name] = asked_delta(catalog[name], new, wanted[name].renames, deltas)
        else:
            created[name] = new
    return Target(deltas, tuple(created.values()))


def _order(catalog: Catalog, wanted: Mapping[TableName, Wanted]) -> list[TableName]:
    """The tables that may change, each after all that it will depend on."""
    import networkx as nx

    graph: nx.DiGraph[Any] = catalog.graph
    present = [name for name in wanted if name in catalog]
    touched = {*wanted, *(child for name in present for child in nx.descendants(graph, name))}
    tables = [_with_parents(name, catalog, wanted) for name in sorted(touched)]
    return [name for name in topological_order(tables) if name in touched]


def _with_parents(name: TableName, catalog: Catalog, wanted: Mapping[TableName, Wanted]) -> Table:
    parents = wanted[name].parents if name in wanted else {fk.parent for fk in catalog[name].foreign_keys}
    return Table(name, "", (), tuple(ForeignKey(parent, ()) for parent in sorted(parents)))


def _following(old: Table, deltas: Deltas) -> Delta:
    """A table whose own definition stays, once its parents have changed."""
    draft = _Draft(old, deltas)
    return draft.delta()


@dataclass(slots=True)
class _Draft:
    old: Table
    deltas: Deltas
    names: dict[str, str] = field(default_factory=dict)
    columns: dict[str, Attribute] = field(default_factory=dict)
    anchors: dict[str, frozenset[str]] = field(default_factory=dict)

    def delta(self) -> Delta:
        self.names = self._names()
        self.columns = {
            self.names[column.name]: self._updated(column)
            for column in self.old.columns
            if column.name in self.names
        }
        found = {key: self._key(key) for key in self.old.foreign_keys if key.parent != self.old.name}
        self._retype_with_key()
        found |= dict(carried(self.old, self.names, self.columns))
        links = [(key, found.get(key)) for key in self.old.foreign_keys]
        settled = [(key, self._settled(new)) for key, new in links if new is not None]
        indexes = tuple(index for spec in self.old.indexes if (index := self._index(spec)) is not None)
        keys = tuple(sorted((new for _, new in settled), key=lambda key: not key.in_key))
        if [new for _, new in settled] == list(self.old.foreign_keys):
            keys = self.old.foreign_keys  # in the order in which they were found
        new = replace(self.old, columns=tuple(self.columns.values()), foreign_keys=keys, indexes=indexes)
        return placed(Delta(self.old, new, self.names, links=tuple(settled), is_asked=False), self.deltas)

    def _names(self) -> dict[str, str]:
        """The columns that stay, with their names; one that foreign keys share follows all or none."""
        votes: dict[str, set[str]] = {}
        for key in self.old.foreign_keys:
            if key.parent == self.old.name:
                continue
            survivors = {own: after for own, after, _ in surviving_pairs(key, self.deltas, {})}
            for own in key.own:
                votes.setdefault(own, set())
                if own in survivors:
                    votes[own].add(survivors[own])
        names = {}
        for column in self.old.columns:
            chosen = votes.get(column.name, {column.name})
            if chosen:
                names[column.name] = next(iter(chosen)) if len(chosen) == 1 else column.name
        for before, after in names.items():
            if before != after and after in columns_of(self.old):
                raise self._ambiguous(f"the attribute {before!r} would be called {after!r}, which exists")
        return names

    def _updated(self, column: Attribute) -> Attribute:
        """A column with the type and the lineage that its parent's has afterwards."""
        for key in self.old.foreign_keys:
            parent = self.deltas.get(key.parent)
            if parent is None:
                continue
            for own, referenced in key.columns:
                if own == column.name and referenced in parent.names:
                    before = columns_of(parent.old)[referenced]
                    after = columns_of(parent.new)[parent.names[referenced]]
                    column = _followed(column, before, after)
        return replace(column, name=self.names.get(column.name, column.name))

    def _retype_with_key(self) -> None:
        """Let columns by which the table refers to itself follow those that they refer to."""
        before = columns_of(self.old)
        for key in keys_to_itself(self.old):
            for own, referenced in key.columns:
                mine, theirs = self.names.get(own), self.names.get(referenced)
                if mine is not None and theirs is not None and own not in inherited(self.old):
                    after = self.columns[theirs]
                    self.columns[mine] = _followed(self.columns[mine], before[referenced], after)

    def _key(self, key: ForeignKey) -> ForeignKey | None:
        parent = self.deltas.get(key.parent)
        pairs = {
            referenced: self.names[own]
            for own, _, referenced in surviving_pairs(key, self.deltas, {})
            if own in self.names
        }
        if parent is None or set(key.referenced) != set(parent.old.primary_key):
            whole = len(pairs) == len(key.columns)
            return replace(key, columns=tuple((own, ref) for ref, own in pairs.items())) if whole else None
        if parent.new.is_singleton:
            raise self._ambiguous(f"it refers to {key.parent}, which would have no key to refer to")
        for referenced in parent.new.primary_key:
            if referenced not in pairs:
                self._inherit(columns_of(parent.new)[referenced], key)
                pairs[referenced] = referenced
        return replace(key, columns=tuple((pairs[ref], ref) for ref in parent.new.primary_key))

    def _inherit(self, origin: Attribute, key: ForeignKey) -> None:
        present = self.columns.get(origin.name)
        if present is None:
            self.columns[origin.name] = Attribute(
                origin.name,
                origin.type,
                origin.stored,
                in_key=key.in_key,
                nullable=key.nullable,
                default=Null() if key.nullable else None,
                lineage=origin.lineage,
            )
            self.anchors[origin.name] = self._anchor(key, origin)
        elif not self._is_shared(present, origin, key):
            others = self.anchors.keys() | {own for other in self.old.foreign_keys for own in other.own}
            raise self._ambiguous(
                f"it would inherit {origin.name!r} from {key.parent} "
                + (
                    "by more than one reference, perhaps of different rows"
                    if origin.name in others
                    else "and has another attribute of that name"
                )
            )

    def _is_shared(self, present: Attribute, origin: Attribute, key: ForeignKey) -> bool:
        """Whether a column that is there already is what a reference would bring, of the very same row."""
        if present.lineage is None or present.lineage != origin.lineage:
            return False
        others = [other for other in self.old.foreign_keys if present.name in other.own]
        known = [self.anchors[present.name]] if present.name in self.anchors else []
        anchors = known or [self._anchor(other, origin) - {present.name} for other in others]
        mine = self._anchor(key, origin)
        return any(mine <= other or other <= mine for other in anchors)

    def _anchor(self, key: ForeignKey, origin: Attribute) -> frozenset[str]:
        """The columns of a reference that tell which row of an attribute's origin is meant."""
        table = (origin.lineage or "").rpartition(".")[0]
        columns = columns_of(self.old)
        same = [own for own in key.own if (columns[own].lineage or "").rpartition(".")[0] == table]
        return frozenset(same or key.own)

    def _settled(self, key: ForeignKey) -> ForeignKey:
        columns = [self.columns[own] for own in key.own]
        return replace(key, in_key=all(c.in_key for c in columns), nullable=any(c.nullable for c in columns))

    def _index(self, index: IndexSpec) -> IndexSpec | None:
        items = [self.names.get(item) if item in columns_of(self.old) else item for item in index.items]
        kept = tuple(item for item in items if item is not None)
        return replace(index, items=kept) if len(kept) == len(items) else None

    def _ambiguous(self, reason: str) -> AlterationError:
        return AlterationError(
            f"{self.old.name} cannot follow: {reason}. Alter it together with its parent, in schema.alter(), "
            "with a definition that says what it becomes.",
            table=str(self.old.name),
        )


def _followed(column: Attribute, before: Attribute, after: Attribute) -> Attribute:
    if (before.type, before.stored) != (after.type, after.stored):
        column = replace(column, type=after.type, stored=after.stored)
    if column.lineage == before.lineage:
        column = replace(column, lineage=after.lineage)
    return column
