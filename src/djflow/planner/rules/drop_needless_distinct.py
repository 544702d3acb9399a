"""What is distinct already is not made so."""

from djflow.planner.facts import is_unique_on
from djflow.planner.nodes import Distinct, Node


def drop_needless_distinct(node: Node) -> Node:
    """``dj.U(key) & R`` becomes ``R.proj()``: rows that hold a key of theirs differ.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> nothing = Empty(Heading(()))
    >>> drop_needless_distinct(Distinct(nothing)) is nothing
    True
    """
    match node:
        case Distinct(source) if is_unique_on(source, source.heading.names):
            return source
        case _:
            return node
