"""Each part of a condition goes to the side of a join that it reads."""

from djflow.planner.conjuncts import restricted
from djflow.planner.nodes import Join, Node, Restrict
from djflow.planner.scalar import columns_of, conjuncts


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
            to_left, to_right, rest = [], [], []
            for part in conjuncts(condition):
                names = columns_of(part)
                is_left = bool(names) and all(name in left.heading for name in names)
                is_right = bool(names) and kind == "inner" and all(name in right.heading for name in names)
                if is_left:
                    to_left.append(part)
                if is_right:
                    to_right.append(part)
                if not (is_left or is_right):
                    rest.append(part)
            if not (to_left or to_right):
                return node
            joined = Join(
                restricted(left, tuple(to_left)), restricted(right, tuple(to_right)), on, heading, kind
            )
            return restricted(joined, tuple(rest))
        case _:
            return node
