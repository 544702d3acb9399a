"""Whole masters: a cascade extended until no master is left without parts that it takes."""

from collections.abc import Mapping

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.planner.nodes import Node, Scan
from djflow.planner.propagate import Settle, any_rows, cascaded, orphaning


def cascaded_with_masters(
    session: Session, catalog: Catalog, seeds: Mapping[TableName, Node], settle: Settle
) -> Mapping[TableName, Node]:
    """What depends on the seeds, with the masters of all parts reached, and what depends on those.

    Whether masters are missing is asked of the server until none is. Tables come parents first.
    """
    seeds = dict(seeds)
    while True:
        plans = cascaded(catalog, seeds, settle)
        missing = missing_masters(session, orphaning(catalog, plans, seeds, settle))
        if not missing:
            return plans
        for part, owners in missing.items():
            master = catalog[part.master or part]
            known = seeds.get(master.name)
            wanted = owners if known is None else any_rows(Scan(master), (known, owners))
            seeds[master.name] = settle(master, wanted, ())


def missing_masters(session: Session, owners: Mapping[TableName, Node]) -> dict[TableName, Node]:
    """Of the masters of some parts, those that exist."""
    return {part: plan for part, plan in owners.items() if execute.exists(session, plan)}
