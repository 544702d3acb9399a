"""Filter before computing."""

from collections.abc import Mapping

from djflow.planner.conjuncts import restricted
from djflow.planner.nodes import Node, Project, Restrict
from djflow.planner.scalar import Column, Matches, Scalar, conjuncts, transform, walk


def push_restriction_below_project(node: Node) -> Node:
    """``R.proj(y=e) & p(y)`` becomes ``(R & p(e)).proj(y=e)``.

    A part that asks another relation about attributes renamed or computed stays: it binds them by name.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL
    >>> x, y = (Attribute(name, BOOL, BOOL) for name in "xy")
    >>> plan = Restrict(Project(Empty(Heading((x,))), ((y, Column("x", BOOL)),)), Column("y", BOOL))
    >>> push_restriction_below_project(plan).source.condition
    Column(name='x', type=CoreType(name='bool', args=()))
    """
    match node:
        case Restrict(Project(source, columns), condition):
            meaning = {attribute.name: expression for attribute, expression in columns}
            parts = conjuncts(condition)
            stay = tuple(part for part in parts if not _can_move(part, meaning))
            below = tuple(_translated(part, meaning) for part in parts if part not in stay)
            if not below:
                return node
            return restricted(Project(restricted(source, below), columns), stay)
        case _:
            return node


def _translated(part: Scalar, meaning: Mapping[str, Scalar]) -> Scalar:
    return transform(part, lambda column: meaning[column.name])


def _can_move(part: Scalar, meaning: Mapping[str, Scalar]) -> bool:
    return all(
        _is_same(name, meaning[name])
        for inner in walk(part)
        if isinstance(inner, Matches)
        for name in inner.on
    )


def _is_same(name: str, expression: Scalar) -> bool:
    return isinstance(expression, Column) and expression.name == name
