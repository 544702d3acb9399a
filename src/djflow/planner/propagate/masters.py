"""Masters that would stay behind without some of their parts."""

from collections.abc import Collection, Mapping

from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.nodes import Node
from djflow.planner.propagate.reach import Settle, without
from djflow.planner.propagate.trace import traced


def orphaning(
    catalog: Catalog,
    plans: Mapping[TableName, Node],
    seeds: Collection[TableName],
    settle: Settle | None = None,
) -> Mapping[TableName, Node]:
    """For each part whose rows are reached otherwise than through its master: the masters not reached.

    A part's row belongs to each master to which any chain of foreign keys leads. Where every reached row
    of a part must have been reached through its one master, there is nothing to ask, and no entry.
    """
    followed: set[TableName] = set()
    found: dict[TableName, Node] = {}
    for name, rows in plans.items():
        master = name.master
        if master is None or master not in catalog:
            continue
        if name not in seeds and _follows_master(catalog, plans, name, master, followed):
            followed.add(name)
            continue
        owners = traced(catalog, rows, settle, to=master).get(master)
        if owners is not None:
            found[name] = owners if master not in plans else without(owners, plans[master])
    return found


def _follows_master(
    catalog: Catalog,
    plans: Mapping[TableName, Node],
    name: TableName,
    master: TableName,
    followed: set[TableName],
) -> bool:
    """Whether the only way to the part's rows leads through its master."""
    reached = [key.parent for key in catalog[name].foreign_keys if key.parent in plans]
    others = [key.parent for key in catalog[name].foreign_keys if key.parent.master == master]
    towards = [parent for parent in reached if parent == master or parent in followed]
    return len(reached) == len(towards) == 1 and (others in ([], reached)) and name not in reached
