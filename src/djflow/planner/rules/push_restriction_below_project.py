"""Filter before computing."""

from djflow.planner.nodes import Node, Project, Restrict
from djflow.planner.scalar import has_matches, transform


def push_restriction_below_project(node: Node) -> Node:
    """``R.proj(y=e) & p(y)`` becomes ``(R & p(e)).proj(y=e)``.

    A condition that asks another relation stays: its attributes are bound by name.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> x, y = (Attribute(name, BOOL, BOOL) for name in "xy")
    >>> plan = Restrict(Project(Empty(Heading((x,))), ((y, Column("x", BOOL)),)), Column("y", BOOL))
    >>> push_restriction_below_project(plan).source.condition
    Column(name='x', type=CoreType(name='bool', args=()))
    """
    match node:
        case Restrict(Project(source, columns), condition) if not has_matches(condition):
            meaning = {attribute.name: expression for attribute, expression in columns}
            below = transform(condition, lambda column: meaning[column.name])
            return Project(Restrict(source, below), columns)
        case _:
            return node
