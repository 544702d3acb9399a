"""Adjacent projections become one."""

from djflow.planner.nodes import Node, Project
from djflow.planner.scalar import Column, transform, walk


def merge_projections(node: Node) -> Node:
    """``R.proj(y=e).proj(z=f(y))`` becomes ``R.proj(z=f(e))``.

    An expression that would be computed more than once stays where it is.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL
    >>> x, y, z = (Attribute(name, BOOL, BOOL) for name in "xyz")
    >>> inner = Project(Empty(Heading((x,))), ((y, Column("x", BOOL)),))
    >>> merge_projections(Project(inner, ((z, Column("y", BOOL)),))).source.heading.names
    ('x',)
    """
    match node:
        case Project(Project(source, inner), outer) if _each_used_once(node):
            meaning = {attribute.name: expression for attribute, expression in inner}
            merged = tuple((a, transform(e, lambda column: meaning[column.name])) for a, e in outer)
            return Project(source, merged)
        case _:
            return node


def _each_used_once(node: Project) -> bool:
    assert isinstance(node.source, Project)  # noqa: S101 - the caller matched it
    uses = [
        part.name for _, expression in node.columns for part in walk(expression) if isinstance(part, Column)
    ]
    costly = {a.name for a, expression in node.source.columns if not isinstance(expression, Column)}
    return all(uses.count(name) <= 1 for name in costly)
