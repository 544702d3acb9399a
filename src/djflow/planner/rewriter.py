"""Apply rewrite rules to a plan until none applies, proving that each kept the heading."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import is_not
from typing import Any, Final, TypeAlias

from djflow.errors import PlannerBugError
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Group,
    Join,
    LocalAggregate,
    Node,
    Project,
    Restrict,
    SemiJoin,
    Top,
    Union,
    inputs,
    with_inputs,
)
from djflow.planner.questions import whether_any
from djflow.planner.rules.aggregate_before_join import aggregate_before_join
from djflow.planner.rules.drop_identity_projection import drop_identity_projection
from djflow.planner.rules.drop_needless_distinct import drop_needless_distinct
from djflow.planner.rules.drop_needless_top import drop_needless_top
from djflow.planner.rules.drop_redundant_join import drop_redundant_join
from djflow.planner.rules.drop_redundant_semi_join import drop_redundant_semi_join
from djflow.planner.rules.drop_true_restriction import drop_true_restriction
from djflow.planner.rules.drop_unused_order import drop_unused_order
from djflow.planner.rules.group_before_join import group_before_join
from djflow.planner.rules.inner_join_for_null_rejection import inner_join_for_null_rejection
from djflow.planner.rules.left_join_for_certain_match import left_join_for_certain_match
from djflow.planner.rules.merge_projections import merge_projections
from djflow.planner.rules.merge_restrictions import merge_restrictions
from djflow.planner.rules.merge_tops import merge_tops
from djflow.planner.rules.normalise_predicates import normalise_predicates
from djflow.planner.rules.prune_columns import prune_columns
from djflow.planner.rules.push_restriction_below_aggregate import push_restriction_below_aggregate
from djflow.planner.rules.push_restriction_below_distinct import push_restriction_below_distinct
from djflow.planner.rules.push_restriction_below_group import push_restriction_below_group
from djflow.planner.rules.push_restriction_below_join import push_restriction_below_join
from djflow.planner.rules.push_restriction_below_local import push_restriction_below_local
from djflow.planner.rules.push_restriction_below_project import push_restriction_below_project
from djflow.planner.rules.push_restriction_below_semi_join import push_restriction_below_semi_join
from djflow.planner.rules.push_restriction_below_union import push_restriction_below_union
from djflow.planner.rules.push_top_below_join import push_top_below_join
from djflow.planner.rules.push_top_below_project import push_top_below_project
from djflow.planner.rules.replace_by_empty import replace_by_empty
from djflow.planner.rules.restrict_by_matches import restrict_by_matches
from djflow.planner.rules.restrict_instead_of_semi_join import restrict_instead_of_semi_join
from djflow.planner.rules.semi_join_instead_of_group import semi_join_instead_of_group
from djflow.planner.rules.union_with_empty import union_with_empty
from djflow.planner.scalar import Column, Matches, Scalar, has_matches, map_children

Rule: TypeAlias = Callable[[Node], Node]
# The rules to try at a node of each type, in order.
RuleBook: TypeAlias = Mapping[type[Any], tuple[Rule, ...]]

# Moves every operator to its place. Nothing is pushed into what is empty. Restrictions merge and become
# normal before they move, so that one step splits all their parts; what asks another relation is a semi-join
# by then. A left join is made inner before parts are pushed to its sides.
PLACING: Final[RuleBook] = {
    Restrict: (
        merge_restrictions,
        normalise_predicates,
        drop_true_restriction,
        replace_by_empty,
        drop_unused_order,
        restrict_by_matches,
        push_restriction_below_project,
        push_restriction_below_semi_join,
        inner_join_for_null_rejection,
        push_restriction_below_join,
        push_restriction_below_aggregate,
        push_restriction_below_group,
        push_restriction_below_distinct,
        push_restriction_below_union,
        push_restriction_below_local,
    ),
    SemiJoin: (
        replace_by_empty,
        drop_unused_order,
        semi_join_instead_of_group,
        drop_redundant_semi_join,
        restrict_instead_of_semi_join,
    ),
    Project: (replace_by_empty, drop_identity_projection, merge_projections),
    Join: (
        replace_by_empty,
        drop_unused_order,
        drop_redundant_join,
    ),
    Aggregate: (
        replace_by_empty,
        drop_unused_order,
    ),
    LocalAggregate: (replace_by_empty,),
    Group: (
        replace_by_empty,
        drop_unused_order,
        group_before_join,
    ),
    Distinct: (
        replace_by_empty,
        drop_needless_distinct,
        drop_unused_order,
    ),
    Union: (
        replace_by_empty,
        union_with_empty,
        drop_unused_order,
    ),
    Top: (
        replace_by_empty,
        drop_needless_top,
        drop_unused_order,
        merge_tops,
        push_top_below_project,
        push_top_below_join,
    ),
}
# Only once restrictions are in their place is it known which rows the groups are of.
GROUPING: Final[RuleBook] = {Aggregate: (aggregate_before_join,)}
# Last, since other rules take what a left join is for at its word.
JOINING: Final[RuleBook] = {Join: (left_join_for_certain_match,)}
# After pruning it is known which joins give something.
STAGES: Final[tuple[RuleBook | Rule, ...]] = (PLACING, GROUPING, PLACING, prune_columns, PLACING, JOINING)

_STEPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Rewritten:
    """An optimised plan and the names of the rules that fired, in order."""

    plan: Node
    fired: tuple[str, ...]


def optimise(plan: Node) -> Rewritten:
    """The plan after all rules, with a record of those that fired.

    Raises `PlannerBugError` if a rule changed the heading, or if rules undo each other without an end.
    """
    fired: list[str] = []
    settlings: dict[int, _Settling] = {}
    for stage in STAGES:
        if isinstance(stage, Mapping):
            # What is at rest stays at rest when the same book is opened again.
            settling = settlings.setdefault(id(stage), _Settling(stage, fired))
            plan = settling.settle(plan)
        else:
            plan = _checked(stage, plan, stage(plan), fired)
    return Rewritten(_with_questions_optimised(plan, fired), tuple(fired))


def _with_questions_optimised(node: Node, fired: list[str]) -> Node:
    """The plan with the relations that its conditions ask optimised too, each for what is asked of it."""

    def within(scalar: Scalar) -> Scalar:
        if not isinstance(scalar, Matches):
            return map_children(scalar, within)
        asked = optimise(_asked(scalar))
        fired.extend(asked.fired)
        return Matches(asked.plan, scalar.on)

    operands = inputs(node)
    optimised = tuple(_with_questions_optimised(operand, fired) for operand in operands)
    if any(map(is_not, operands, optimised)):
        node = with_inputs(node, optimised)
    if isinstance(node, Restrict) and has_matches(node.condition):
        return Restrict(node.source, within(node.condition))
    return node


def _asked(question: Matches) -> Node:
    if not question.on:
        return whether_any(question.other)
    heading = question.other.heading
    columns = ((a, Column(a.name, a.stored)) for a in heading if a.name in question.on)
    return Project(question.other, tuple(columns))


@dataclass(slots=True)
class _Settling:
    """One stage: each node is rewritten, operands first, until no rule of the book changes it."""

    rules: RuleBook
    fired: list[str]
    # Held, so that no other node can take the identity of one that is at rest.
    at_rest: dict[int, Node] = field(default_factory=dict)

    def settle(self, node: Node) -> Node:
        while id(node) not in self.at_rest:
            operands = inputs(node)
            settled = tuple(map(self.settle, operands))
            if any(map(is_not, operands, settled)):
                node = with_inputs(node, settled)
            after = self._rewritten(node)
            if after is node:
                self.at_rest[id(node)] = node
            node = after
        return node

    def _rewritten(self, node: Node) -> Node:
        """The node after the first rule that changes it."""
        for rule in self.rules.get(type(node), ()):
            after = rule(node)
            if after is not node:
                return _checked(rule, node, after, self.fired)
        return node


def _checked(rule: Rule, node: Node, after: Node, fired: list[str]) -> Node:
    """What a rule made of a node, once it is known to have kept the heading."""
    if after is node:
        return node
    if after.heading != node.heading:
        raise PlannerBugError(
            f"Rule {rule.__name__} changed the heading from {node.heading.names} to {after.heading.names}."
        )
    fired.append(rule.__name__)
    if len(fired) > _STEPS:
        raise PlannerBugError(f"The rules do not come to rest: {', '.join(fired[-6:])} fire again and again.")
    return after
