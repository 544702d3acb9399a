"""A condition that is always true goes."""

from djflow.planner.nodes import Node, Restrict
from djflow.planner.scalar import TRUE


def drop_true_restriction(node: Node) -> Node:
    """``R & True`` becomes ``R``.

    >>> from djflow.planner.nodes import Empty
    >>> from djflow.model.table import Heading
    >>> drop_true_restriction(Restrict(Empty(Heading(())), TRUE))
    Empty(heading=Heading(attributes=()))
    """
    match node:
        case Restrict(source, condition) if condition == TRUE:
            return source
        case _:
            return node
