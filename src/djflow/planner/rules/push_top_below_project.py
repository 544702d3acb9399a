"""Choose rows before computing."""

from djflow.planner.nodes import Node, Order, Project, Top
from djflow.planner.scalar import Column


def push_top_below_project(node: Node) -> Node:
    """The first rows of ``R.proj(y=e)`` by ``x`` are the first rows of ``R`` by ``x``, with ``y=e``.

    Not where nothing is left out and something computed: that would only nest.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL
    >>> x, y = (Attribute(name, BOOL, BOOL) for name in "xy")
    >>> plan = Top(Project(Empty(Heading((x,))), ((y, Column("x", BOOL)),)), (Order("y"),), 3)
    >>> push_top_below_project(plan).source.order
    (Order(name='x', descending=False),)
    """
    match node:
        case Top(Project(source, columns), order, limit, offset):
            plain = {a.name: e.name for a, e in columns if isinstance(e, Column)}
            if any(term.name not in plain for term in order):
                return node
            if limit is None and not offset and len(plain) < len(columns):
                return node
            below = tuple(Order(plain[term.name], term.descending) for term in order)
            return Project(Top(source, below, limit, offset), columns)
        case _:
            return node
