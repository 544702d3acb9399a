"""A pipeline as text: tables with their tiers, each below the parent that it depends on last."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from djflow.model.catalog import Catalog, topological_order
from djflow.model.names import TableName, Tier

if TYPE_CHECKING:
    import networkx as nx


def draw(catalog: Catalog, schemas: Iterable[str]) -> str:
    """The dependency graph as an indented tree.

    A table with several parents stands below the one computed last; the others are named behind it.

    >>> from djflow.model.table import ForeignKey, Table
    >>> image = Table(TableName("lab", "image"), "", ())
    >>> spots = Table(TableName("lab", "__spots"), "", (), (ForeignKey(image.name, ()),))
    >>> print(draw(Catalog((image, spots)), ["lab"]))
    Image  manual
    └── Spots  computed
    """
    shown = set(schemas)
    tables = [table for table in catalog.tables if table.name.schema in shown]
    order = {name: position for position, name in enumerate(topological_order(tables))}
    graph = catalog.graph.subgraph(order)
    below: dict[TableName | None, list[TableName]] = {}
    for name in order:
        below.setdefault(_parent(name, graph, order), []).append(name)
    lines: list[str] = []
    for root in below.get(None, []):
        lines.append(_label(root, None, graph))
        lines += _branches(root, below, graph, "")
    return "\n".join(lines)


def _parent(name: TableName, graph: "nx.DiGraph[TableName]", order: dict[TableName, int]) -> TableName | None:
    if name.master is not None and name.master in order:
        return name.master
    return max(graph.predecessors(name), key=order.__getitem__, default=None)


def _branches(
    parent: TableName,
    below: dict[TableName | None, list[TableName]],
    graph: "nx.DiGraph[TableName]",
    indent: str,
) -> list[str]:
    lines: list[str] = []
    children = below.get(parent, [])
    for child in children:
        last = child == children[-1]
        lines.append(f"{indent}{'└── ' if last else '├── '}{_label(child, parent, graph)}")
        lines += _branches(child, below, graph, indent + ("    " if last else "│   "))
    return lines


def _label(name: TableName, parent: TableName | None, graph: "nx.DiGraph[TableName]") -> str:
    shown = name.class_path.rpartition(".")[2] if name.tier is Tier.PART else name.class_path
    others = sorted(
        other.class_path for other in graph.predecessors(name) if other not in (parent, name.master)
    )
    return f"{shown}  {name.tier}" + (f"  (also from {', '.join(others)})" if others else "")
