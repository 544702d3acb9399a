"""Do not sort what is not read in order."""

from operator import is_not
from typing import Final

from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Group,
    Join,
    Node,
    Project,
    Restrict,
    SemiJoin,
    Top,
    Union,
    inputs,
    with_inputs,
)

_WITHOUT_ORDER: Final = frozenset({Restrict, SemiJoin, Join, Aggregate, Group, Distinct, Union})
_PERHAPS_ORDERED: Final = frozenset({Top, Project})


def drop_unused_order(node: Node) -> Node:
    """``(R ordered) * S`` becomes ``R * S``; likewise for all operators that give rows in no order.

    A top with a limit stays: it decides which rows there are.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty, Order
    >>> ordered = Top(Empty(Heading(())), (Order("x"),))
    >>> drop_unused_order(Distinct(ordered)).source
    Empty(heading=Heading(attributes=()))
    """
    is_last_order = isinstance(node, Top) and bool(node.order)
    if not is_last_order and type(node) not in _WITHOUT_ORDER:
        return node
    operands = inputs(node)
    if _PERHAPS_ORDERED.isdisjoint(map(type, operands)):
        return node
    loose = tuple(map(_unordered, operands))
    return with_inputs(node, loose) if any(map(is_not, operands, loose)) else node


def _unordered(node: Node) -> Node:
    match node:
        case Top(source, _, None, 0):
            return _unordered(source)
        case Project(source, columns):
            loose = _unordered(source)
            return node if loose is source else Project(loose, columns)
        case _:
            return node
