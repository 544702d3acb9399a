"""Filter the sides of a union."""

from djflow.planner.conjuncts import over, restricted
from djflow.planner.nodes import Node, Restrict, Union


def push_restriction_below_union(node: Node) -> Node:
    """``(R + S) & p(key)`` becomes ``(R & p) + (S & p)``.

    Other attributes are null in rows of the other side, so conditions on them stay above.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> rows = Empty(Heading((Attribute("k", BOOL, BOOL, in_key=True),)))
    >>> type(push_restriction_below_union(Restrict(Union(rows, rows), Column("k", BOOL))).left).__name__
    'Restrict'
    """
    match node:
        case Restrict(Union(left, right) as union, condition):
            alike = frozenset(
                name
                for name in union.heading.primary_key
                if left.heading[name].stored == right.heading[name].stored
            )
            below, rest = over(condition, alike)
            if not below:
                return node
            return restricted(Union(restricted(left, below), restricted(right, below)), rest)
        case _:
            return node
