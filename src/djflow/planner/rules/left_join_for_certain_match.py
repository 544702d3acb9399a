"""A join that loses no row is told to the server as one that may lose none."""

from djflow.planner.facts import has_one_match
from djflow.planner.nodes import Join, Node


def left_join_for_certain_match(node: Node) -> Node:
    """``Child * Parent`` becomes ``Child`` left-joined with ``Parent``, where a key promises the match.

    The rows are the same. The server then goes through the children in their own order, looking parents up,
    instead of guessing from estimates which side to start from.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> from djflow.planner.nodes import Scan
    >>> rigs = Scan(bind(parse("id : int32"), TableName("lab", "rig"), resolve=None, codec_dtype=None))
    >>> left_join_for_certain_match(Join(rigs, rigs, ("id",), rigs.heading)).kind
    'left'
    """
    match node:
        case Join(left, right, on, heading, "inner") if has_one_match(left, right, on):
            return Join(left, right, on, heading, "left")
        case Join(left, right, on, heading, "inner") if has_one_match(right, left, on):
            return Join(right, left, on, heading, "left")
        case _:
            return node
