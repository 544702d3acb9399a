"""Filter before summarising."""

from djflow.planner.conjuncts import over, restricted
from djflow.planner.nodes import Aggregate, LocalAggregate, Node, Restrict


def push_restriction_below_aggregate(node: Node) -> Node:
    """``A.aggr(B, n=count) & p(a)`` becomes ``(A & p).aggr(B, n=count)``.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> rows = Empty(Heading((Attribute("a", BOOL, BOOL, in_key=True),)))
    >>> plan = Restrict(Aggregate(rows, rows, ("a",), ()), Column("a", BOOL))
    >>> type(push_restriction_below_aggregate(plan).source).__name__
    'Restrict'
    """
    match node:
        case Restrict(Aggregate(source, other, on, summaries, keep_all), condition):
            below, rest = over(condition, frozenset(source.heading.names))
            if not below:
                return node
            return restricted(Aggregate(restricted(source, below), other, on, summaries, keep_all), rest)
        case Restrict(LocalAggregate(source, other, on, made, keep_all), condition):
            below, rest = over(condition, frozenset(source.heading.names))
            if not below:
                return node
            return restricted(LocalAggregate(restricted(source, below), other, on, made, keep_all), rest)
        case _:
            return node
