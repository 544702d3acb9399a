"""Apply rewrite rules to a plan until none applies, proving that each kept the heading."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from djflow.errors import PlannerBugError
from djflow.planner.nodes import Node, inputs, with_inputs
from djflow.planner.rules.drop_true_restriction import drop_true_restriction
from djflow.planner.rules.merge_projections import merge_projections
from djflow.planner.rules.merge_restrictions import merge_restrictions
from djflow.planner.rules.prune_columns import prune_columns
from djflow.planner.rules.push_restriction_below_join import push_restriction_below_join
from djflow.planner.rules.push_restriction_below_project import push_restriction_below_project
from djflow.planner.rules.push_restriction_below_semi_join import push_restriction_below_semi_join
from djflow.planner.rules.replace_by_empty import replace_by_empty

Rule: TypeAlias = Callable[[Node], Node]

# Local rules look at one node and its operands; they are tried at every node, innermost first.
LOCAL_RULES: Final[tuple[Rule, ...]] = (
    drop_true_restriction,
    replace_by_empty,  # before pushing: nothing is pushed into what is empty
    merge_restrictions,
    push_restriction_below_project,
    push_restriction_below_semi_join,
    push_restriction_below_join,  # after merging, so that one pass splits all parts
    merge_projections,
)
# Global rules look at the whole plan once, after the local ones came to rest.
GLOBAL_RULES: Final[tuple[Rule, ...]] = (prune_columns,)  # last: the others free columns

_PASSES: Final = 100


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An optimised plan and the names of the rules that fired, in order."""

    plan: Node
    fired: tuple[str, ...]


def optimise(plan: Node) -> Rewritten:
    """The plan after all rules, with a record of those that fired.

    Raises `PlannerBugError` if a rule changed the heading.
    """
    fired: list[str] = []
    for _ in range(_PASSES):
        after = _sweep(plan, fired)
        if after is plan:
            break
        plan = after
    for rule in GLOBAL_RULES:
        plan = _apply(rule, plan, fired)
    return Rewritten(plan, tuple(fired))


def _sweep(node: Node, fired: list[str]) -> Node:
    operands = inputs(node)
    new = tuple(_sweep(operand, fired) for operand in operands)
    if any(a is not b for a, b in zip(operands, new, strict=True)):
        node = with_inputs(node, new)
    for rule in LOCAL_RULES:
        node = _apply(rule, node, fired)
    return node


def _apply(rule: Rule, node: Node, fired: list[str]) -> Node:
    after = rule(node)
    if after is node:
        return node
    if after.heading != node.heading:
        raise PlannerBugError(
            f"Rule {rule.__name__} changed the heading from {node.heading.names} to {after.heading.names}."
        )
    fired.append(rule.__name__)
    return after
