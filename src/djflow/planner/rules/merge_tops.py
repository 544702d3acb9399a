"""Adjacent tops become one."""

from djflow.planner.nodes import Node, Top


def merge_tops(node: Node) -> Node:
    """The first 3 of the first 10 are the first 3, where both follow one order.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty, Order
    >>> inner = Top(Empty(Heading(())), (Order("x"),), 10, 5)
    >>> after = merge_tops(Top(inner, (), 8, 4))
    >>> after.limit, after.offset
    (6, 9)
    """
    match node:
        case Top(Top(source, order, inner_limit, inner_offset), outer, limit, offset) if outer in ((), order):
            left = None if inner_limit is None else max(inner_limit - offset, 0)
            limits = [bound for bound in (left, limit) if bound is not None]
            return Top(source, order, min(limits, default=None), inner_offset + offset)
        case _:
            return node
