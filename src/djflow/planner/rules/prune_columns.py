"""Read only what is asked for."""

from operator import is_
from typing import assert_never

from djflow.model.table import Heading
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    LocalFrame,
    LocalNode,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
    inputs,
    with_inputs,
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
    return _prune(node, frozenset(node.heading.names))


def _prune(node: Node, wanted: frozenset[str]) -> Node:
    match node:
        case Scan() | LocalFrame() | Empty():
            return node
        case Restrict(source, condition):
            return _over(node, _prune(source, wanted | columns_of(condition)))
        case Top(source):
            return _over(node, _prune(source, wanted.union(term.name for term in node.order)))
        case Project(source, columns):
            kept = tuple((a, e) for a, e in columns if a.name in wanted)
            read = frozenset().union(*(columns_of(e) for _, e in kept))
            pruned = _prune(source, read)
            return node if pruned is source and len(kept) == len(columns) else Project(pruned, kept)
        case SemiJoin(source, other, on):
            return _over(node, _prune(source, wanted.union(on)), _only(other, frozenset(on)))
        case Join():
            return _prune_join(node, wanted)
        case Aggregate():
            return _prune_aggregate(node, wanted)
        case Group(source, keys, summaries):
            made = tuple((a, e) for a, e in summaries if a.name in wanted)
            read = frozenset(keys).union(*(columns_of(e) for _, e in made))
            pruned = _only(source, read)
            unchanged = pruned is source and len(made) == len(summaries)
            return node if unchanged else Group(pruned, keys, made)
        case Distinct(source):
            return _over(node, _prune(source, frozenset(source.heading.names)))
        case Union():
            return _prune_union(node, wanted)
        case LocalRestrict() | LocalCompute() | LocalAggregate():
            return _prune_local(node, wanted)
        case _ as never:
            assert_never(never)


def _over(node: Node, *operands: Node) -> Node:
    """The node over its operands; itself where they are the same."""
    return node if all(map(is_, operands, inputs(node))) else with_inputs(node, operands)


def _prune_join(node: Join, wanted: frozenset[str]) -> Node:
    wanted = wanted.union(node.on)
    left = _only(node.left, wanted.intersection(node.left.heading.names))
    right = _only(node.right, wanted.intersection(node.right.heading.names))
    if left is node.left and right is node.right:
        return node
    heading = Heading(tuple(a for a in node.heading if a.name in left.heading or a.name in right.heading))
    return Join(left, right, node.on, heading, node.kind)


def _prune_aggregate(node: Aggregate, wanted: frozenset[str]) -> Node:
    summaries = tuple((a, e) for a, e in node.summaries if a.name in wanted)
    read = frozenset(node.on).union(*(columns_of(e) for _, e in summaries))
    source = _prune(node.source, (wanted | read).intersection(node.source.heading.names))
    if not summaries:
        return source if node.keep_all else SemiJoin(source, _only(node.other, frozenset(node.on)), node.on)
    other = _only(node.other, read.intersection(node.other.heading.names))
    if len(summaries) == len(node.summaries):
        return _over(node, source, other)
    return Aggregate(source, other, node.on, summaries, node.keep_all)


def _prune_union(node: Union, wanted: frozenset[str]) -> Node:
    wanted = wanted.union(node.heading.primary_key)
    left = _only(node.left, wanted.intersection(node.left.heading.names))
    return _over(node, left, _only(node.right, wanted.intersection(node.right.heading.names)))


def _prune_local(node: LocalNode, wanted: frozenset[str]) -> Node:
    """The order of the rows, which is that of the key, may matter to an expression: keys stay."""
    own = node.source.heading
    match node:
        case LocalRestrict(source, condition):
            return _over(node, _only(source, wanted.union(condition.reads, own.primary_key)))
        case LocalCompute(source, made):
            kept = tuple((a, e) for a, e in made if a.name in wanted)
            read = wanted.union(own.primary_key, *(e.reads for _, e in kept)).intersection(own.names)
            pruned = _only(source, read)
            if len(kept) == len(made):
                return _over(node, pruned)
            return LocalCompute(pruned, kept) if kept else pruned
        case LocalAggregate(source, other, on, made, keep_all):
            kept = tuple((a, e) for a, e in made if a.name in wanted)
            if not kept:
                pruned = _only(source, wanted.union(on).intersection(own.names))
                return pruned if keep_all else SemiJoin(pruned, _only(other, frozenset(on)), on)
            read = frozenset(on).union(other.heading.primary_key, *(e.reads for _, e in kept))
            operands = (
                _only(source, wanted.union(on, own.primary_key).intersection(own.names)),
                _only(other, read.intersection(other.heading.names)),
            )
            if len(kept) == len(made):
                return _over(node, *operands)
            return LocalAggregate(*operands, on, kept, keep_all)
        case _ as never:
            assert_never(never)


def _only(node: Node, wanted: frozenset[str]) -> Node:
    """The node giving exactly the attributes wanted, in its own order."""
    pruned = _prune(node, wanted)
    if len(pruned.heading) == len(wanted):
        return pruned
    kept = tuple((a, Column(a.name, a.stored)) for a in pruned.heading if a.name in wanted)
    return _prune(Project(pruned, kept), wanted)
