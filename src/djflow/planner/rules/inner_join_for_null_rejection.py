"""A left join whose rows without a match are turned away is an inner join."""

from djflow.planner.nodes import Join, Node, Restrict
from djflow.planner.normal import rejects_nulls


def inner_join_for_null_rejection(node: Node) -> Node:
    """``R.join(S, left=True) & p(s)`` becomes ``(R * S) & p(s)`` where ``p`` is not true of nulls.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> r, t = (Empty(Heading((Attribute(name, BOOL, BOOL),))) for name in "rt")
    >>> plan = Restrict(Join(r, t, (), Heading((*r.heading, *t.heading)), "left"), Column("t", BOOL))
    >>> inner_join_for_null_rejection(plan).source.kind
    'inner'
    """
    match node:
        case Restrict(Join(left, right, on, heading, "left"), condition):
            added = frozenset(name for name in right.heading.names if name not in left.heading)
            if not rejects_nulls(condition, added):
                return node
            return Restrict(Join(left, right, on, heading), condition)
        case _:
            return node
