"""Filter before comparing rows with each other."""

from djflow.planner.nodes import Distinct, Node, Restrict


def push_restriction_below_distinct(node: Node) -> Node:
    """``distinct(R) & p`` becomes ``distinct(R & p)``.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> plan = Restrict(Distinct(Empty(Heading(()))), Column("p", BOOL))
    >>> type(push_restriction_below_distinct(plan)).__name__
    'Distinct'
    """
    match node:
        case Restrict(Distinct(source), condition):
            return Distinct(Restrict(source, condition))
        case _:
            return node
