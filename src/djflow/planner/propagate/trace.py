"""What some rows depend on: a row is reached if any chain of foreign keys leads to it from one of them."""

from collections.abc import Mapping

from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.nodes import Node
from djflow.planner.operand import operand
from djflow.planner.propagate.edges import at_or_above, up_loops
from djflow.planner.propagate.match import Match, up
from djflow.planner.propagate.reach import Reach, Settle


def traced(
    catalog: Catalog, seed: Node, settle: Settle | None = None, *, to: TableName | None = None
) -> Mapping[TableName, Node]:
    """The rows of `seed` and of each table on which they depend, children first.

    `to` leaves out the tables that lie on no way to this one.
    Raises `QueryError` unless the seed is a query over one table, `MissingTableError` for a table that is
    not in the catalog.
    """
    own = operand(seed).table.name
    reach = Reach({own: seed}, settle)
    found: dict[TableName, list[Match]] = {}
    for table in at_or_above(catalog, own, to):
        # A row of the destination is what was asked for: what it refers to in its own table is not.
        reach.add(table, found.get(table.name, []), () if table.name == to else up_loops(table))
        for key in table.foreign_keys:
            if key.parent != table.name:
                found.setdefault(key.parent, []).extend(up(table, key, reach.matches[table.name]))
    return reach.plans
