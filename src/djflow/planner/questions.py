"""What need not be computed when only the number of rows is asked for, or whether there are any."""

from collections.abc import Callable

from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    Node,
    Project,
    SemiJoin,
    Top,
)
from djflow.planner.scalar import Column


def counted(plan: Node) -> Node:
    """A plan without attributes that has as many rows.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty, Order
    >>> counted(Top(Empty(Heading(())), (Order("x"),))).source
    Empty(heading=Heading(attributes=()))
    """
    return Project(_stripped(plan, _as_many), ())


def whether_any(plan: Node) -> Node:
    """A plan without attributes that has rows if and only if the given one has.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> whether_any(Distinct(Empty(Heading(())))).source
    Empty(heading=Heading(attributes=()))
    """
    return Project(_stripped(plan, _as_present), ())


def _stripped(plan: Node, simpler: Callable[[Node], Node]) -> Node:
    while (after := simpler(plan)) is not plan:
        plan = after
    return plan


def _as_many(node: Node) -> Node:
    match node:
        case Top(source, _, None, 0) | Project(source) | LocalCompute(source):
            return source
        case Top(source, order, limit, offset):
            inner = _stripped(source, _as_many)
            return node if not order and inner is source else Top(inner, (), limit, offset)
        case Join(left, right, on, kind="left") if set(right.heading.primary_key) <= set(on):
            return left  # of which each row has one match at most
        case Aggregate(source, other, on, keep_all=keep_all) | LocalAggregate(
            source, other, on, keep_all=keep_all
        ):
            return source if keep_all else SemiJoin(source, other, on)
        case Group(source, keys) if keys:
            columns = ((a, Column(a.name, a.stored)) for a in node.heading if a.in_key and a.name in keys)
            return Distinct(Project(source, tuple(columns)))
        case _:
            return node


def _as_present(node: Node) -> Node:
    match node:
        case Distinct(source) | Join(source, kind="left"):
            return source
        case Group(source, keys) if keys:
            return source
        case Top(source, _, limit, 0) if limit != 0:
            return source
        case _:
            return _as_many(node)
