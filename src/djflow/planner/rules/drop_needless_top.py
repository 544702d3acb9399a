"""A top that neither orders nor leaves out rows goes."""

from djflow.planner.nodes import Empty, Node, Top


def drop_needless_top(node: Node) -> Node:
    """All rows in the order that they have are the rows; the first 0 rows are none.

    >>> from djflow.model.table import Heading
    >>> drop_needless_top(Top(Empty(Heading(())), ()))
    Empty(heading=Heading(attributes=()))
    """
    match node:
        case Top(limit=0):
            return Empty(node.heading)
        case Top(source, (), None, 0):
            return source
        case _:
            return node
