"""Filter by constants before asking another relation."""

from djflow.planner.nodes import Node, Restrict, SemiJoin


def push_restriction_below_semi_join(node: Node) -> Node:
    """``(R & S) & p`` becomes ``(R & p) & S``; likewise for ``R - S``.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> nothing = Empty(Heading(()))
    >>> plan = Restrict(SemiJoin(nothing, nothing, ()), Column("p", BOOL))
    >>> type(push_restriction_below_semi_join(plan)).__name__
    'SemiJoin'
    """
    match node:
        case Restrict(SemiJoin(source, other, on, negated), condition):
            return SemiJoin(Restrict(source, condition), other, on, negated)
        case _:
            return node
