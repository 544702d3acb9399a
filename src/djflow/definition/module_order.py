"""An order of tables for databases that others made, where foreign keys may form a circle."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from djflow.model.catalog import dependency_graph
from djflow.model.names import TableName
from djflow.model.table import Table

if TYPE_CHECKING:
    import networkx as nx


def dependency_order(tables: Iterable[Table]) -> list[Table]:
    """The tables, each after all that it depends on, ties and circles by name."""
    by_name = {table.name: table for table in tables}
    return [by_name[name] for name in _sorted(dependency_graph(by_name.values())) if name in by_name]


def declaration_order(tables: Iterable[Table]) -> list[tuple[Table, ...]]:
    """Masters with their parts in the order in which classes declare them.

    >>> a, part, b = (Table(TableName("lab", name), "", ()) for name in ("a", "a__part", "b"))
    >>> [[table.name.table for table in unit] for unit in declaration_order([b, part, a])]
    [['a', 'a__part'], ['b']]
    """
    tables = tuple(tables)
    names = {table.name for table in tables}
    unit_of = {
        name: name.master if name.master is not None and name.master in names else name for name in names
    }
    graph = dependency_graph(tables)
    graph.remove_nodes_from([name for name in graph if name not in names])
    between: nx.DiGraph[TableName] = graph.__class__()
    between.add_nodes_from(unit_of.values())
    between.add_edges_from(
        (unit_of[parent], unit_of[child])
        for parent, child in graph.edges
        if unit_of[parent] != unit_of[child]
    )
    units: dict[TableName, list[Table]] = {unit: [] for unit in _sorted(between)}
    for table in dependency_order(tables):
        units[unit_of[table.name]].append(table)
    return [tuple(sorted(unit, key=lambda t: t.name not in between)) for unit in units.values()]


def _sorted(graph: "nx.DiGraph[TableName]") -> list[TableName]:
    import networkx as nx

    circles = nx.condensation(graph)
    members = {node: sorted(circles.nodes[node]["members"]) for node in circles}
    ordered = nx.lexicographical_topological_sort(circles, key=lambda node: members[node][0])
    return [name for node in ordered for name in members[node]]
