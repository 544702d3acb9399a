"""What there is to see of a queue: how many jobs of each status, and the first of them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from djflow.display.values import counted
from djflow.planner.nodes import Node, Project
from djflow.planner.scalar import Column
from djflow.relation.database import Database
from djflow.relation.preview import Look, look

# Behind the key, as people look for them.
_SHOWN: Final = ("status", "error_message", "priority", "scheduled_time")


def glance(plan: Node, database: Database, counts: Mapping[str, int] | None) -> Look:
    """The first jobs of a plan, above the numbers of all, if these are given. Creates nothing.

    Raises the typed errors of a query.
    """
    settings = database.settings.display
    shown = _most_telling(plan)
    if counts is None:
        return _with_others(look(shown, database, settings), plan)
    found = look(shown, database, replace(settings, show_tuple_count=False))
    total, height = sum(counts.values()), len(found.grid.rows)
    first = f"first {height:,} of " if total > height else ""
    told = ", ".join(f"{number:,} {status}" for status, number in counts.items() if number)
    note = f"({first}{counted(total, 'job')}{': ' if told else ''}{told})"
    return _with_others(replace(found, grid=replace(found.grid, note=note)), plan)


def _most_telling(plan: Node) -> Node:
    telling = [plan.heading[name] for name in _SHOWN if name in plan.heading]
    shown = [*(a for a in plan.heading if a.in_key), *telling]
    return Project(plan, tuple((a, Column(a.name, a.stored)) for a in shown))


def _with_others(found: Look, plan: Node) -> Look:
    shown = {header.name for header in found.grid.headers}
    others = tuple(name for name in plan.heading.names if name not in shown)
    return replace(found, grid=replace(found.grid, more=others))
