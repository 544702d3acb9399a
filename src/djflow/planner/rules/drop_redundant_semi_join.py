"""A question whose answer is known is not asked."""

from djflow.planner.facts import always_matches
from djflow.planner.nodes import Empty, Node, Restrict, SemiJoin, Top


def drop_redundant_semi_join(node: Node) -> Node:
    """``Child & Parent`` becomes ``Child``, ``Child - Parent`` becomes ``Empty``; ``R & S & S`` asks once.

    That every row of the child has its parent follows from a foreign key, or from what both are made of.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> from djflow.planner.nodes import Scan
    >>> rigs = Scan(bind(parse("id : int32"), TableName("lab", "rig"), resolve=None, codec_dtype=None))
    >>> drop_redundant_semi_join(SemiJoin(rigs, rigs, ("id",))) is rigs
    True
    """
    match node:
        case SemiJoin(source, other, on, negated):
            answer = True if always_matches(source, other, on) else _answered(source, other, on)
            if answer is None:
                return node
            return source if answer is not negated else Empty(node.heading)
        case _:
            return node


def _answered(source: Node, other: Node, on: tuple[str, ...]) -> bool | None:
    """Whether all rows match, or none, because the same was asked before; None if it was not."""
    match source:
        case SemiJoin(_, before, already, negated) if already == on and before == other:
            return not negated
        case SemiJoin(below) | Restrict(below) | Top(below):
            return _answered(below, other, on)
        case _:
            return None
