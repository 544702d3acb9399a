"""How many rows a relation has, told without counting many."""

import re
from typing import Final

from djflow.display.values import counted, rounded
from djflow.engine import execute
from djflow.errors import DjflowError
from djflow.planner.lower_sql import lower_rows
from djflow.planner.nodes import Node
from djflow.planner.questions import counted as only_rows
from djflow.planner.rewriter import optimise
from djflow.relation.database import Database

# What the server may spend on counting, in its own unit: a page read in sequence, or 100 rows looked at.
_CHEAP: Final = 2_000.0
_ESTIMATE: Final = re.compile(r"\(cost=[\d.]+\.\.(?P<cost>[\d.]+) rows=(?P<rows>\d+) ")


def first_of(limit: int, plan: Node, database: Database) -> str:
    """What is shown of a relation with more than `limit` rows: of how many, where that is known cheaply.

    That is the server's estimate, marked by a tilde, or a count where counting costs next to nothing.
    """
    total = _total(plan, database, limit)
    return f"first {counted(limit, 'row')}" if total is None else f"first {limit:,} of {total}"


def _total(plan: Node, database: Database, seen: int) -> str | None:
    if plan.has_local or plan.holds_rows:
        return None
    try:
        cost, rows = _estimated(plan, database)
        if cost <= _CHEAP:
            return counted(execute.count(database.session, plan), "row")
    except DjflowError:
        return None
    return f"{rounded(rows)} rows" if rows > seen else None


def _estimated(plan: Node, database: Database) -> tuple[float, int]:
    """What the server expects of a query: its cost, and its number of rows."""
    statement = lower_rows(optimise(only_rows(plan)).plan)
    lines = database.session.query_rows(f"EXPLAIN {statement.sql}", statement.parameters)
    found = _ESTIMATE.search(lines[0][0])
    return (float(found["cost"]), int(found["rows"])) if found else (_CHEAP + 1, 0)
