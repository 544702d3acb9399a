"""Let the server filter before Polars works."""

from djflow.planner.conjuncts import over, restricted
from djflow.planner.nodes import LocalCompute, LocalRestrict, Node, Restrict


def push_restriction_below_local(node: Node) -> Node:
    """``(R & polars) & p`` becomes ``(R & p) & polars``; likewise for attributes that Polars makes.

    Only where Polars looks at each row on its own, and the condition does not read what it makes.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty, LocalExpression
    >>> from djflow.planner.scalar import BOOL, Column
    >>> opaque = LocalExpression(None, frozenset(), is_elementwise=True)
    >>> plan = Restrict(LocalRestrict(Empty(Heading(())), opaque), Column("p", BOOL))
    >>> type(push_restriction_below_local(plan)).__name__
    'LocalRestrict'
    """
    match node:
        case Restrict(LocalRestrict(source, opaque), condition) if opaque.is_elementwise:
            return LocalRestrict(Restrict(source, condition), opaque)
        case Restrict(LocalCompute(source, made), condition) if all(e.is_elementwise for _, e in made):
            below, rest = over(condition, frozenset(source.heading.names))
            return restricted(LocalCompute(restricted(source, below), made), rest) if below else node
        case _:
            return node
