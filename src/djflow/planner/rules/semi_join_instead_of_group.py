"""Whether a row exists does not need it summarised."""

from dataclasses import replace

from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    Node,
    Project,
    SemiJoin,
    Top,
)
from djflow.planner.scalar import columns_of


def semi_join_instead_of_group(node: Node) -> Node:
    """``R & dj.U(key).aggr(S, ...)`` becomes ``R & S``, as do ``R & S.aggr(T)`` and ``R & (dj.U(key) & S)``.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> nothing = Empty(Heading(()))
    >>> semi_join_instead_of_group(SemiJoin(nothing, Distinct(nothing), ())).other is nothing
    True
    """
    if not isinstance(node, SemiJoin):
        return node
    other = _existing(node.other, frozenset(node.on))
    return node if other is node.other else replace(node, other=other)


def _existing(node: Node, names: frozenset[str]) -> Node:
    """Rows with the same values of the attributes, as cheap as can be, repeated or not."""
    match node:
        case Distinct(source) | Top(source, limit=None, offset=0):
            return _existing(source, names)
        case Group(source, keys) if keys and names.issubset(keys):
            return _existing(source, names)
        case LocalCompute(source) | Aggregate(source, keep_all=True) | LocalAggregate(source, keep_all=True):
            return _source(node, source, names)
        case Join(left, kind="left"):
            return _source(node, left, names)
        case Aggregate(source, other, on) if names.issubset(source.heading.names):
            return SemiJoin(source, other, on)
        case Project(source, columns):
            read = frozenset().union(*(columns_of(e) for a, e in columns if a.name in names))
            below = _existing(source, read)
            kept = tuple((a, e) for a, e in columns if a.name in names)
            return node if below is source else Project(below, kept)
        case _:
            return node


def _source(node: Node, source: Node, names: frozenset[str]) -> Node:
    return _existing(source, names) if names.issubset(source.heading.names) else node
