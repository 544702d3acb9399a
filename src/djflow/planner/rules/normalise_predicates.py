"""Conditions are said in one way, and as simply as can be."""

from djflow.planner.nodes import Node, Restrict
from djflow.planner.normal import as_filter
from djflow.planner.scalar import And, Column, Compare, Constant, Scalar


def normalise_predicates(node: Node) -> Node:
    """``R & not (x < 1 or x is null)`` becomes ``R & (x >= 1 and x is not null)``, and so on.

    Equal to another condition in a restriction, where unknown counts as false: nested conjunctions and
    disjunctions, negations, constants, duplicates, contradictions, lists of equalities.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import INT64, Not, show
    >>> less = Compare("<", Column("x", INT64), Constant(1, INT64))
    >>> show(normalise_predicates(Restrict(Empty(Heading(())), Not(less))).condition)
    'x >= 1'
    """
    match node:
        case Restrict(source, condition) if not _is_plain(condition):
            after = as_filter(condition, source.heading)
            return node if after == condition else Restrict(source, after)
        case _:
            return node


def _is_plain(condition: Scalar) -> bool:
    """Whether there is nothing to do, told quickly: comparisons of different attributes with constants."""
    parts = condition.items if isinstance(condition, And) else (condition,)
    names = set()
    for part in parts:
        match part:
            case Compare(_, Column(name), Constant(value)) if value is not None:
                names.add(name)
            case _:
                return False
    return 0 < len(parts) == len(names)
