"""Conditions taken apart for rules that move their parts."""

from collections.abc import Set as AbstractSet

from djflow.planner.nodes import Node, Restrict
from djflow.planner.scalar import Scalar, columns_of, conjunction, conjuncts


def over(condition: Scalar, names: AbstractSet[str]) -> tuple[tuple[Scalar, ...], tuple[Scalar, ...]]:
    """The parts of a conjunction that read no attributes but `names`, and the other parts.

    >>> from djflow.planner.scalar import BOOL, And, Column
    >>> a, b = Column("a", BOOL), Column("b", BOOL)
    >>> over(And((a, b)), {"a"}) == ((a,), (b,))
    True
    """
    inside: list[Scalar] = []
    outside: list[Scalar] = []
    for part in conjuncts(condition):
        (inside if columns_of(part) <= names else outside).append(part)
    return tuple(inside), tuple(outside)


def restricted(source: Node, parts: tuple[Scalar, ...]) -> Node:
    """The source with its rows restricted by all parts; without parts, as it is."""
    return Restrict(source, conjunction(parts)) if parts else source
