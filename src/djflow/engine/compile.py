"""From a plan to what is sent: the optimised plan, its statement, and how it is best read."""

from dataclasses import dataclass
from typing import Final

from djflow.planner.lower_sql import Statement, lower_rows
from djflow.planner.nodes import Empty, LocalFrame, Node, Project, Restrict, Scan, SemiJoin, Top
from djflow.planner.rewriter import optimise
from djflow.planner.scalar import Column, Compare, Constant, conjuncts

# Below this many rows psycopg answers sooner than ADBC (docs/measurements).
SMALL: Final = 300


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan ready to run. `fired` names the rules that rewrote it."""

    logical: Node
    optimised: Node
    fired: tuple[str, ...]
    statement: Statement
    is_small: bool


def compile_plan(plan: Node) -> Compiled:
    """Optimise and lower a plan."""
    rewritten = optimise(plan)
    bound = row_bound(rewritten.plan)
    return Compiled(
        plan,
        rewritten.plan,
        rewritten.fired,
        lower_rows(rewritten.plan),
        bound is not None and bound <= SMALL,
    )


def row_bound(plan: Node) -> int | None:
    """The most rows that a plan can give, where that is known.

    >>> from djflow.model.table import Heading
    >>> row_bound(Empty(Heading(())))
    0
    """
    match plan:
        case Empty():
            return 0
        case LocalFrame(frame):
            return int(frame.num_rows)
        case Top(source):
            inner = row_bound(source)
            return min((n for n in (plan.limit, inner) if n is not None), default=None)
        case Restrict(source, _):
            return 1 if _fixes_key(plan) else row_bound(source)
        case Project(source) | SemiJoin(source):
            return row_bound(source)
        case Scan(table):
            return 1 if table.is_singleton else None
        case _:
            return None


def _fixes_key(plan: Restrict) -> bool:
    fixed = {
        part.left.name
        for part in conjuncts(plan.condition)
        if isinstance(part, Compare)
        and part.op == "="
        and isinstance(part.left, Column)
        and isinstance(part.right, Constant)
    }
    key = plan.heading.primary_key
    return bool(key) and fixed.issuperset(key)
