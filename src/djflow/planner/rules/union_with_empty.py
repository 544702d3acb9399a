"""A union with nothing is the other side, with nulls."""

from djflow.model.table import Attribute
from djflow.planner.nodes import Empty, LocalFrame, Node, Project, Union
from djflow.planner.scalar import Column, Constant, Scalar


def union_with_empty(node: Node) -> Node:
    """``R + Empty`` becomes ``R.proj(..., s=null)``; likewise from the left.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.scalar import BOOL
    >>> rows = Empty(Heading((Attribute("k", BOOL, BOOL, in_key=True),)))
    >>> type(union_with_empty(Union(rows, rows))).__name__
    'Project'
    """
    match node:
        case Union(left, right) if _is_empty(right):
            return _alone(node, left)
        case Union(left, right) if _is_empty(left):
            return _alone(node, right)
        case _:
            return node


def _is_empty(node: Node) -> bool:
    return isinstance(node, Empty) or (isinstance(node, LocalFrame) and not node.frame.num_rows)


def _alone(union: Union, side: Node) -> Node:
    if any(a.name in side.heading and side.heading[a.name].stored != a.stored for a in union.heading):
        return union
    return Project(side, tuple((a, _value(a, side)) for a in union.heading))


def _value(attribute: Attribute, side: Node) -> Scalar:
    if attribute.name in side.heading:
        return Column(attribute.name, attribute.stored)
    return Constant(None, attribute.stored)
