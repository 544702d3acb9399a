"""What can have no rows is not asked for."""

from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalFrame,
    Node,
    Project,
    Restrict,
    SemiJoin,
    Top,
    Union,
)
from djflow.planner.scalar import FALSE


def replace_by_empty(node: Node) -> Node:
    """``R & False``, ``Empty * R`` and the like become ``Empty``; ``R - Empty`` becomes ``R``.

    >>> from djflow.model.table import Heading
    >>> nothing = Empty(Heading(()))
    >>> replace_by_empty(SemiJoin(nothing, nothing, (), negated=True)) is nothing
    True
    """
    match node:
        case SemiJoin(source, other, _, True) if _is_empty(other):
            return source
        case SemiJoin(_, other, _, False) if _is_empty(other):
            return Empty(node.heading)
        case SemiJoin(source) | Aggregate(source) | LocalAggregate(source) if _is_empty(source):
            return Empty(node.heading)
        case Group(source, keys) if keys and _is_empty(source):
            return Empty(node.heading)
        case Union(left, right) if _is_empty(left) and _is_empty(right):
            return Empty(node.heading)
        case Restrict(source, condition) if condition == FALSE or _is_empty(source):
            return Empty(node.heading)
        case Project(source) | Top(source) | Distinct(source) if _is_empty(source):
            return Empty(node.heading)
        case Join(left) if _is_empty(left):
            return Empty(node.heading)
        case Join(_, right, kind="inner") if _is_empty(right):
            return Empty(node.heading)
        case _:
            return node


def _is_empty(node: Node) -> bool:
    return isinstance(node, Empty) or (isinstance(node, LocalFrame) and node.frame.num_rows == 0)
