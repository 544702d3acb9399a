"""Which rows foreign keys reach, in plain Python: rows are dicts, and everything is found by looking at all.

Independent of the engine on purpose, and as simple as can be; for databases of some dozens of rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = Mapping[str, Any]
Keys: TypeAlias = frozenset[tuple[Any, ...]]


@dataclass(frozen=True)
class Reference:
    """A foreign key; `columns` pairs own ones with the parent's."""

    parent: Any
    columns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class NaiveTable:
    """A table with all of its rows."""

    name: Any
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    rows: tuple[Row, ...] = ()
    master: Any | None = None

    def key_of(self, row: Row) -> tuple[Any, ...]:
        return tuple(row[column] for column in self.key)

    def keys(self, condition: Callable[[Row], bool] = lambda _: True) -> Keys:
        return frozenset(self.key_of(row) for row in self.rows if condition(row))


Tables: TypeAlias = Mapping[Any, NaiveTable]


def naive_tables(tables: Sequence[NaiveTable]) -> Tables:
    return {table.name: table for table in tables}


def refers(child: Row, reference: Reference, parent: Row) -> bool:
    """Whether a row refers to another; with a null anywhere it refers to nothing."""
    return all(child[own] is not None and child[own] == parent[its] for own, its in reference.columns)


def links(tables: Tables) -> list[tuple[tuple[Any, Any], tuple[Any, Any]]]:
    """All pairs of a row and one to which it refers, each a table's name and a key."""
    return [
        ((table.name, table.key_of(row)), (parent.name, parent.key_of(other)))
        for table in tables.values()
        for row in table.rows
        for reference in table.references
        for parent in [tables[reference.parent]]
        for other in parent.rows
        if refers(row, reference, other)
    ]


def cascaded(tables: Tables, seeds: Mapping[Any, Keys], *, whole_masters: bool = False) -> dict[Any, Keys]:
    """The rows that refer to the seeds, to those that do, and so on; by table, for tables at or below seeds.

    With `whole_masters` also the masters of all parts among these, and what refers to those.
    """
    pairs = links(tables)
    reached = {(name, key) for name, keys in seeds.items() for key in keys}
    while True:
        more = {child for child, parent in pairs if parent in reached}
        if whole_masters:
            more |= {owner for name, key in reached for owner in _masters(tables, name, key)}
        if more <= reached:
            break
        reached |= more
    concerned = _below(tables, {name for name, _ in reached} | set(seeds))
    return _by_table(reached, concerned)


def traced(tables: Tables, seed: Any, keys: Keys) -> dict[Any, Keys]:
    """The rows to which the seed's refer, to which those do, and so on; by table, for all above the seed."""
    pairs = links(tables)
    reached = {(seed, key) for key in keys}
    while not (more := {parent for child, parent in pairs if child in reached}) <= reached:
        reached |= more
    return _by_table(reached, _above(tables, {seed}))


def restricted(tables: Tables, seeds: Mapping[Any, Keys]) -> dict[Any, Keys]:
    """The rows of seeds and below them that are in their seed, and whose parents are all kept.

    Of several foreign keys to one parent it is enough that one refers to a row that is kept. References of
    a table to itself say nothing.
    """
    concerned = _below(tables, set(seeds))
    kept: dict[Any, Keys] = {}
    while len(kept) < len(concerned):
        for name in concerned - kept.keys():
            table = tables[name]
            parents = {r.parent for r in table.references if r.parent in concerned and r.parent != name}
            if parents <= kept.keys():
                kept[name] = table.keys(
                    lambda row, table=table, parents=parents: (  # type: ignore[misc]
                        table.key_of(row) in seeds.get(table.name, table.keys())
                        and all(_has_parent(tables, table, row, parent, kept[parent]) for parent in parents)
                    )
                )
    return kept


def orphaned(tables: Tables, deleted: Mapping[Any, Keys]) -> dict[Any, Keys]:
    """The masters that would stay without parts of theirs that are deleted, by part."""
    found: dict[Any, Keys] = {}
    for name, keys in deleted.items():
        owners = {owner for key in keys for owner in _masters(tables, name, key)}
        left = frozenset(key for master, key in owners if key not in deleted.get(master, frozenset()))
        if left:
            found[name] = left
    return found


def _has_parent(tables: Tables, table: NaiveTable, row: Row, parent: Any, kept: Keys) -> bool:
    return any(
        refers(row, reference, other) and tables[parent].key_of(other) in kept
        for reference in table.references
        if reference.parent == parent
        for other in tables[parent].rows
    )


def _masters(tables: Tables, name: Any, key: Any) -> list[tuple[Any, Any]]:
    master = tables[name].master
    if master is None:
        return []
    return [(master, owner) for owner in traced(tables, name, frozenset({key})).get(master, ())]


def _below(tables: Tables, names: set[Any]) -> set[Any]:
    return _closed(names, {(r.parent, table.name) for table in tables.values() for r in table.references})


def _above(tables: Tables, names: set[Any]) -> set[Any]:
    return _closed(names, {(table.name, r.parent) for table in tables.values() for r in table.references})


def _closed(names: set[Any], steps: set[tuple[Any, Any]]) -> set[Any]:
    found = set(names)
    while not (more := {after for before, after in steps if before in found}) <= found:
        found |= more
    return found


def _by_table(reached: set[tuple[Any, Any]], names: set[Any]) -> dict[Any, Keys]:
    return {name: frozenset(key for table, key in reached if table == name) for name in names}
