"""Read only what is asked for."""

from typing import assert_never

from djflow.model.table import Heading
from djflow.planner.nodes import (
    Aggregate,
    Empty,
    Join,
    LocalFrame,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
)
from djflow.planner.scalar import Column, columns_of


def prune_columns(node: Node) -> Node:
    """Operands of joins, semi-joins and summaries give only attributes that something above reads.

    The root keeps its heading, so large columns that nobody asked for are never read.

    >>> from djflow.model.table import Attribute
    >>> from djflow.planner.scalar import BOOL
    >>> x, y = (Attribute(name, BOOL, BOOL) for name in "xy")
    >>> both = ((x, Column("x", BOOL)), (y, Column("y", BOOL)))
    >>> plan = Project(Project(Empty(Heading((x, y))), both), both[:1])
    >>> prune_columns(plan).source.heading.names
    ('x',)
    """
    after = _prune(node, frozenset(node.heading.names))
    return node if after == node else after


def _prune(node: Node, wanted: frozenset[str]) -> Node:
    match node:
        case Scan() | LocalFrame() | Empty():
            return node
        case Restrict(source, condition):
            return Restrict(_prune(source, wanted | columns_of(condition)), condition)
        case Top(source):
            order = {term.name for term in node.order}
            return Top(_prune(source, wanted | order), node.order, node.limit, node.offset)
        case Project(source, columns):
            kept = tuple((a, e) for a, e in columns if a.name in wanted)
            read = frozenset().union(*(columns_of(e) for _, e in kept))
            return Project(_prune(source, read), kept)
        case SemiJoin(source, other, on, negated):
            return SemiJoin(_prune(source, wanted | set(on)), _only(other, frozenset(on)), on, negated)
        case Join():
            return _prune_join(node, wanted)
        case Aggregate():
            return _prune_aggregate(node)
        case _ as never:
            assert_never(never)


def _prune_join(node: Join, wanted: frozenset[str]) -> Node:
    wanted = wanted | set(node.on)
    left = _only(node.left, wanted & set(node.left.heading.names))
    right = _only(node.right, wanted & set(node.right.heading.names))
    heading = Heading(tuple(a for a in node.heading if a.name in left.heading or a.name in right.heading))
    return Join(left, right, node.on, heading, node.kind)


def _prune_aggregate(node: Aggregate) -> Node:
    read = frozenset(node.on).union(*(columns_of(e) for _, e in node.summaries))
    source = _prune(node.source, frozenset(node.source.heading.names))
    other = _only(node.other, read & set(node.other.heading.names))
    return Aggregate(source, other, node.on, node.summaries, node.keep_all)


def _only(node: Node, wanted: frozenset[str]) -> Node:
    """The node giving exactly the attributes wanted, in its own order."""
    pruned = _prune(node, wanted)
    if frozenset(pruned.heading.names) == wanted:
        return pruned
    kept = tuple((a, Column(a.name, a.stored)) for a in pruned.heading if a.name in wanted)
    return _prune(Project(pruned, kept), wanted)
