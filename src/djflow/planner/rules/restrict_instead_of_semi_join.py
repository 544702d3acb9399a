"""A child can answer itself what its parent is asked about the key that they share."""

from djflow.planner.facts import always_matches
from djflow.planner.key_conditions import conditions_on
from djflow.planner.nodes import Node, Restrict, SemiJoin
from djflow.planner.scalar import IsTrue, Not, conjunction


def restrict_instead_of_semi_join(node: Node) -> Node:
    """``Child & (Parent & p(key))`` becomes ``Child & p(key)``, and ``Child - (Parent & p(key))`` likewise.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> from djflow.planner.nodes import Scan
    >>> from djflow.planner.scalar import Column, IsNull
    >>> rigs = Scan(bind(parse("id : int32"), TableName("lab", "rig"), resolve=None, codec_dtype=None))
    >>> some = Restrict(rigs, IsNull(Column("id", rigs.heading["id"].stored)))
    >>> restrict_instead_of_semi_join(SemiJoin(rigs, some, ("id",))) == some
    True
    """
    match node:
        case SemiJoin(source, other, on, negated):
            parts, rest = conditions_on(other, source, on)
            if not parts or not always_matches(source, rest, on):
                return node
            condition = conjunction(parts)
            return Restrict(source, Not(IsTrue(condition)) if negated else condition)
        case _:
            return node
