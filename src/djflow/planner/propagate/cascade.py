"""What depends on some rows: a row is reached if any chain of foreign keys leads from it to one of them."""

from collections.abc import Mapping

from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.nodes import Node
from djflow.planner.propagate.edges import at_or_below, down_loops
from djflow.planner.propagate.match import Match, down
from djflow.planner.propagate.reach import Reach, Settle


def cascaded(
    catalog: Catalog, seeds: Mapping[TableName, Node], settle: Settle | None = None
) -> Mapping[TableName, Node]:
    """The rows of the seeds and of each table that depend on them, parents first.

    Each seed selects rows of its table. Raises `MissingTableError` for a table that is not in the catalog.
    """
    reach = Reach(seeds, settle)
    for table in at_or_below(catalog, seeds):
        found: list[Match] = []
        for key in table.foreign_keys:
            if key.parent in reach.plans:
                found += down(table, key, reach.matches[key.parent])
        reach.add(table, found, down_loops(table))
    return reach.plans
