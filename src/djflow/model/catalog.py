"""All known tables and the graph of their foreign keys."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from djflow.errors import DefinitionError, MissingTableError, did_you_mean
from djflow.model.names import TableName
from djflow.model.table import Table

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True)
class Catalog:
    """Tables by name; iteration is in dependency order, parents first."""

    tables: tuple[Table, ...] = ()

    @cached_property
    def _by_name(self) -> dict[TableName, Table]:
        return {table.name: table for table in self.tables}

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: TableName) -> Table:
        try:
            return self._by_name[name]
        except KeyError:
            known = [str(other) for other in self._by_name]
            raise MissingTableError(f"No table {str(name)!r}.{did_you_mean(str(name), known)}") from None

    def __iter__(self) -> Iterator[Table]:
        return iter(self.in_order(self._by_name))

    @cached_property
    def _positions(self) -> dict[TableName, int] | None:
        """The place of each table in dependency order; None where somewhere foreign keys form a cycle."""
        try:
            return {name: place for place, name in enumerate(topological_order(self.tables))}
        except DefinitionError:
            return None

    def in_order(self, names: Iterable[TableName]) -> list[Table]:
        """Some of the tables, parents first.

        Raises `DefinitionError` where their foreign keys form a cycle.
        """
        tables = [self._by_name[name] for name in names]
        places = self._positions
        if places is None:
            return [self._by_name[name] for name in topological_order(tables)]
        return sorted(tables, key=lambda table: places[table.name])

    @cached_property
    def graph(self) -> "nx.DiGraph[TableName]":
        """Edges point from parent to child."""
        return dependency_graph(self.tables)


def dependency_graph(tables: Iterable[Table]) -> "nx.DiGraph[TableName]":
    """The foreign keys of tables as a graph, parent to child; self-references are left out."""
    import networkx as nx

    graph: nx.DiGraph[TableName] = nx.DiGraph()
    for table in tables:
        graph.add_node(table.name)
        graph.add_edges_from((fk.parent, table.name) for fk in table.foreign_keys if fk.parent != table.name)
    return graph


def topological_order(tables: Iterable[Table]) -> list[TableName]:
    """Names of the tables, each after all that it depends on; ties by name."""
    import networkx as nx

    tables = tuple(tables)
    names = {table.name for table in tables}
    graph = dependency_graph(tables)
    try:
        return [name for name in nx.lexicographical_topological_sort(graph) if name in names]
    except nx.NetworkXUnfeasible:
        cycle = " -> ".join(str(a) for a, _ in nx.find_cycle(graph))
        raise DefinitionError(
            f"Foreign keys form a cycle: {cycle}.", hint="Move one of the references into a table of its own."
        ) from None
