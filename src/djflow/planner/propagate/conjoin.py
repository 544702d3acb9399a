"""What agrees with restrictions of several tables: a row is kept if its parents all are."""

from collections.abc import Mapping

from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.nodes import Node, Scan
from djflow.planner.propagate.any_match import any_match
from djflow.planner.propagate.edges import at_or_below
from djflow.planner.propagate.match import Match, distinct, down


def restricted_by(catalog: Catalog, seeds: Mapping[TableName, Node]) -> Mapping[TableName, Node]:
    """The rows of the seeds and of all that depends on them that agree with every seed, parents first.

    Several foreign keys to one parent are alternatives. References of a table to itself say nothing.
    Raises `MissingTableError` for a table that is not in the catalog.
    """
    plans: dict[TableName, Node] = {}
    matches: dict[TableName, tuple[Match, ...]] = {}
    for table in at_or_below(catalog, seeds):
        parents = _matches_by_parent(table, plans, matches)
        rows = seeds.get(table.name, Scan(table))
        for found in parents.values():
            rows = any_match(rows, found, plans)
        plans[table.name] = rows
        if len(parents) == 1 and table.name not in seeds:
            (matches[table.name],) = parents.values()
    return plans


def _matches_by_parent(
    table: Table, plans: Mapping[TableName, Node], matches: Mapping[TableName, tuple[Match, ...]]
) -> Mapping[TableName, tuple[Match, ...]]:
    found: dict[TableName, tuple[Match, ...]] = {}
    for key in table.foreign_keys:
        if key.parent in plans:
            more = down(table, key, matches.get(key.parent, ()))
            found[key.parent] = distinct((*found.get(key.parent, ()), *more))
    return found
