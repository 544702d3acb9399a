"""The part of the graph of foreign keys that some rows can reach."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table

_Following: TypeAlias = Callable[[TableName], Iterator[TableName]]


@dataclass(frozen=True, slots=True)
class Edge:
    """A way from rows of a table to others of it: those with columns equal to ones of the first.

    `columns` are pairs of the other's and the first's.
    """

    columns: tuple[tuple[str, str], ...]


def at_or_below(catalog: Catalog, names: Iterable[TableName]) -> list[Table]:
    """Some tables and all that depend on them, parents first.

    Raises `MissingTableError` for a table that is not in the catalog.
    """
    return _reachable(catalog, names, catalog.graph.successors)


def at_or_above(catalog: Catalog, name: TableName, to: TableName | None = None) -> list[Table]:
    """A table and all on which it depends, children first; with `to`, those on a way to that one.

    Raises `MissingTableError` for a table that is not in the catalog.
    """
    found = _reachable(catalog, [name], catalog.graph.predecessors)[::-1]
    if to is None:
        return found
    between = {table.name for table in at_or_below(catalog, [to])}
    return [table for table in found if table.name in between]


def down_loops(table: Table) -> list[Edge]:
    """The ways from rows of a table to rows of it that refer to them."""
    return [Edge(key.columns) for key in table.foreign_keys if key.parent == table.name]


def up_loops(table: Table) -> list[Edge]:
    """The ways from rows of a table to rows of it to which they refer."""
    return [
        Edge(tuple((its, own) for own, its in key.columns))
        for key in table.foreign_keys
        if key.parent == table.name
    ]


def _reachable(catalog: Catalog, names: Iterable[TableName], following: _Following) -> list[Table]:
    found = dict.fromkeys(catalog[name].name for name in names)
    waiting = list(found)
    while waiting:
        for name in following(waiting.pop()):
            if name not in found and name in catalog:
                found[name] = None
                waiting.append(name)
    return catalog.in_order(found)
