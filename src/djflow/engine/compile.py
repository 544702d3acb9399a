"""From a plan to what is sent: the optimised plan, its statement, and how it is best read."""

from dataclasses import dataclass
from typing import Final

from djflow.planner.facts import row_bound
from djflow.planner.lower_sql import Statement, lower_rows
from djflow.planner.nodes import Node, Top
from djflow.planner.rewriter import optimise

# Below this many rows psycopg answers sooner than ADBC (docs/performance.md).
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
    statement = lower_rows(rewritten.plan)
    return Compiled(plan, rewritten.plan, rewritten.fired, statement, _is_small(rewritten.plan))


def _is_small(plan: Node) -> bool:
    if isinstance(plan, Top) and plan.limit is not None and plan.limit <= SMALL:
        return True
    bound = row_bound(plan)
    return bound is not None and bound <= SMALL
