"""Summarise each group once, then join the groups to the rows that they belong to."""

from djflow.planner.grouping import as_join_of_groups
from djflow.planner.nodes import Aggregate, Node


def aggregate_before_join(node: Node) -> Node:
    """``A.aggr(B, n=count)`` becomes ``A`` joined with ``B`` grouped by the key of ``A``.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import INT64, Call
    >>> rows = Empty(Heading((Attribute("id", INT64, INT64, in_key=True),)))
    >>> number = (Attribute("n", INT64, INT64), Call("count", (), INT64))
    >>> after = aggregate_before_join(Aggregate(rows, rows, ("id",), (number,)))
    >>> type(after.source).__name__, type(after.source.right).__name__
    ('Join', 'Group')
    """
    return as_join_of_groups(node) if isinstance(node, Aggregate) else node
