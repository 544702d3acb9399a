"""A condition that asks another relation becomes a semi-join."""

from typing import Final

from djflow.planner.nodes import Node, Restrict, SemiJoin
from djflow.planner.scalar import IsTrue, Matches, Not, Scalar, conjunction, conjuncts

_PERHAPS_ASKING: Final = frozenset({Matches, Not, IsTrue})


def restrict_by_matches(node: Node) -> Node:
    """``R & (p and S matches)`` becomes ``(R & p) & S``, and ``R & not (S matches)`` becomes ``R - S``.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> nothing = Empty(Heading(()))
    >>> after = restrict_by_matches(Restrict(nothing, Not(Matches(nothing, ()))))
    >>> type(after).__name__, after.negated
    ('SemiJoin', True)
    """
    match node:
        case Restrict(source, condition):
            parts = conjuncts(condition)
            if _PERHAPS_ASKING.isdisjoint(map(type, parts)):
                return node
            asked = [(part, question) for part in parts if (question := _question(part)) is not None]
            if not asked:
                return node
            rest = tuple(part for part in parts if _question(part) is None)
            after: Node = Restrict(source, conjunction(rest)) if rest else source
            for part, question in asked:
                after = SemiJoin(after, question.other, question.on, isinstance(part, Not))
            return after
        case _:
            return node


def _question(part: Scalar) -> Matches | None:
    match part:
        case Matches() | Not(Matches()) | Not(IsTrue(Matches())) | IsTrue(Matches()):
            return _question(part.item) if isinstance(part, Not | IsTrue) else part
        case _:
            return None
