"""A projection that changes nothing goes."""

from djflow.planner.nodes import Node, Project
from djflow.planner.scalar import Column


def drop_identity_projection(node: Node) -> Node:
    """``R.proj(...)`` of all attributes becomes ``R``.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL
    >>> rows = Empty(Heading((Attribute("x", BOOL, BOOL),)))
    >>> drop_identity_projection(Project(rows, ((rows.heading["x"], Column("x", BOOL)),))) is rows
    True
    """
    if not isinstance(node, Project) or len(node.columns) != len(node.source.heading):
        return node
    for (attribute, expression), own in zip(node.columns, node.source.heading, strict=True):
        if attribute != own or not isinstance(expression, Column) or expression.name != own.name:
            return node
    return node.source
