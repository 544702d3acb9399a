"""Each part of a condition goes to the side of a join that it reads."""

from djflow.planner.nodes import Join, Node, Restrict
from djflow.planner.scalar import Scalar, columns_of, conjunction, conjuncts


def push_restriction_below_join(node: Node) -> Node:
    """``(R * S) & p(r) & q(s)`` becomes ``(R & p) * (S & q)``.

    A part about matched attributes goes to both sides. Below a left join only the left side may be filtered:
    filtering the right side would turn rows away that the condition, seeing nulls, keeps or drops itself.

    >>> from djflow.model.table import Attribute, Heading
    >>> from djflow.planner.nodes import Empty
    >>> from djflow.planner.scalar import BOOL, Column
    >>> r, t = (Empty(Heading((Attribute(name, BOOL, BOOL),))) for name in "rt")
    >>> plan = Restrict(Join(r, t, (), Heading((*r.heading, *t.heading))), Column("t", BOOL))
    >>> type(push_restriction_below_join(plan).right).__name__
    'Restrict'
    """
    match node:
        case Restrict(Join(left, right, on, heading, kind), condition):
            parts = conjuncts(condition)
            to_left = [part for part in parts if _reads_only(part, left)]
            to_right = [part for part in parts if kind == "inner" and _reads_only(part, right)]
            rest = tuple(part for part in parts if part not in to_left and part not in to_right)
            if len(rest) == len(parts):
                return node
            joined = Join(_restricted(left, to_left), _restricted(right, to_right), on, heading, kind)
            return Restrict(joined, conjunction(rest)) if rest else joined
        case _:
            return node


def _reads_only(part: Scalar, side: Node) -> bool:
    names = columns_of(part)
    return bool(names) and all(name in side.heading for name in names)


def _restricted(side: Node, parts: list[Scalar]) -> Node:
    return Restrict(side, conjunction(tuple(parts))) if parts else side
