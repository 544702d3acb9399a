"""Adjacent restrictions become one conjunction."""

from djflow.planner.nodes import Node, Restrict
from djflow.planner.scalar import conjunction, conjuncts


def merge_restrictions(node: Node) -> Node:
    """``(R & p) & q`` becomes ``R & (p and q)``; a part said twice is kept once.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column, show
    >>> p, q = Column("p", BOOL), Column("q", BOOL)
    >>> show(merge_restrictions(Restrict(Restrict(Empty(Heading(())), p), q)).condition)
    'p AND q'
    """
    match node:
        case Restrict(Restrict(source, inner), outer):
            parts = dict.fromkeys((*conjuncts(inner), *conjuncts(outer)))
            return Restrict(source, conjunction(tuple(parts)))
        case _:
            return node
