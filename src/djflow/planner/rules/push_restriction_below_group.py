"""Leave out groups before they are made."""

from djflow.planner.conjuncts import over, restricted
from djflow.planner.nodes import Group, Node, Restrict


def push_restriction_below_group(node: Node) -> Node:
    """``dj.U('k').aggr(R, n=count) & p(k)`` becomes ``dj.U('k').aggr(R & p, n=count)``.

    Not without keys: then there is a group, of no rows, also where nothing is left.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> rows = Empty(Heading((Attribute("k", BOOL, BOOL),)))
    >>> type(push_restriction_below_group(Restrict(Group(rows, ("k",), ()), Column("k", BOOL)))).__name__
    'Group'
    """
    match node:
        case Restrict(Group(source, keys, summaries), condition) if keys:
            below, rest = over(condition, frozenset(keys))
            if not below:
                return node
            return restricted(Group(restricted(source, below), keys, summaries), rest)
        case _:
            return node
