"""How the tables of a flow hang together, and which other tables they read: pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import networkx as nx

from djflow.model.names import TableName
from djflow.pipeline.flow.dependencies import Dependency, dependencies, key_columns

if TYPE_CHECKING:
    from djflow.model.catalog import Catalog
    from djflow.pipeline.tiers import AutoPopulated

Columns: TypeAlias = tuple[tuple[str, str], ...]
"""Pairs of an attribute and the one that it refers to."""


@dataclass(frozen=True, slots=True)
class Links:
    """What to do where rows are new.

    `fed` are, for a table of the flow, those to look for keys of which its new rows are part, with how they
    refer to it; `awaited` those of which all keys must be done before a table begins; `parents` all on which
    a table depends. `sources` are, for a table outside of the flow, those that depend on it, with how they
    refer to it, or None where they depend on it as a whole.
    """

    fed: Mapping[TableName, Sequence[tuple[TableName, Columns]]]
    awaited: Mapping[TableName, frozenset[TableName]]
    parents: Mapping[TableName, frozenset[TableName]]
    sources: Mapping[TableName, Sequence[tuple[TableName, Columns | None]]]


def links_of(tables: Sequence["AutoPopulated"], catalog: "Catalog") -> Links:
    """The links between tables, which are given parents first."""
    names = {table.table_model.name for table in tables}
    inside, sources = (
        list[tuple[TableName, Dependency]](),
        defaultdict[TableName, list[tuple[TableName, Columns | None]]](list),
    )
    for table in tables:
        for each in dependencies(table):
            owner = each.parent.master or each.parent
            if owner in names:
                inside.append((owner, each))
            else:
                sources[each.parent].append((each.child, each.columns))
    inside = _without_cycles(inside)
    fed = defaultdict[TableName, list[tuple[TableName, Columns]]](list)
    for owner, each in inside:
        if each.is_by_key:
            fed[owner].append((each.child, key_columns(each, catalog, owner)))
    return Links(
        fed,
        {
            name: frozenset(owner for owner, each in inside if each.child == name and not each.is_by_key)
            for name in names
        },
        {name: frozenset(owner for owner, each in inside if each.child == name != owner) for name in names},
        sources,
    )


def _without_cycles(found: list[tuple[TableName, Dependency]]) -> list[tuple[TableName, Dependency]]:
    """Without what a table's source reads of those that depend on the table: nobody could begin."""
    graph: nx.DiGraph[TableName] = nx.DiGraph()
    graph.add_edges_from((owner, each.child) for owner, each in found if each.is_by_key)
    kept = []
    for owner, each in found:
        if not each.is_by_key:
            if owner == each.child or (each.child in graph and owner in nx.descendants(graph, each.child)):
                continue
            graph.add_edge(owner, each.child)
        kept.append((owner, each))
    return kept
