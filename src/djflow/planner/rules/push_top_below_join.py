"""What is joined or summarised for each row is so for the first rows only."""

from collections.abc import Iterable
from dataclasses import replace

from djflow.planner.facts import has_one_match, is_unique_on, matches_exactly, row_bound
from djflow.planner.nodes import Aggregate, Join, LocalAggregate, Node, Order, Project, Top
from djflow.planner.scalar import Column


def push_top_below_join(node: Node) -> Node:
    """The first rows of ``R.extend(S)`` become the first rows of ``R``, extended; so for ``R.aggr(S, ...)``.

    It holds where each row of ``R`` gives exactly one row and the order is that of its own attributes.
    What comes out is put in order again: joining may lose it.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> from djflow.planner.nodes import Scan
    >>> rigs = Scan(bind(parse("id : int32"), TableName("lab", "rig"), resolve=None, codec_dtype=None))
    >>> after = push_top_below_join(Top(Aggregate(rigs, rigs, ("id",), ()), (Order("id"),), 5))
    >>> type(after.source).__name__, type(after.source.source).__name__
    ('Aggregate', 'Top')
    """
    match node:
        case Top(source, order, limit, offset) if order and limit != 0 and (limit is not None or offset):
            below = _with_first_rows(source, node)
            return node if below is source else Top(below, order, limit)
        case _:
            return node


def _with_first_rows(node: Node, top: Top) -> Node:
    """The node over the first rows of what gives its rows one by one; itself where nothing does."""
    match node:
        case Project(source, columns):
            meaning = {a.name: e for a, e in columns}
            plain = [(term, e.name) for term in top.order if isinstance(e := meaning[term.name], Column)]
            if len(plain) < len(top.order):
                return node
            below = replace(top, order=tuple(Order(name, term.descending) for term, name in plain))
            after = _with_first_rows(source, below)
            return node if after is source else Project(after, columns)
        case Aggregate(source, keep_all=True) | LocalAggregate(source, keep_all=True):
            made = node.heading.names[len(source.heading) :]
            fits = _is_ordered_by(source, top, made)
            return replace(node, source=_first_rows(source, top)) if fits else node
        case Join():
            return _join_with_first_rows(node, top)
        case _:
            return node


def _join_with_first_rows(node: Join, top: Top) -> Node:
    left, right, on = node.left, node.right, node.on
    if not matches_exactly(left, right, on):
        return node
    one_by_one = is_unique_on(right, on) if node.kind == "left" else has_one_match(left, right, on)
    if one_by_one and _is_ordered_by(left, top):
        return replace(node, left=_first_rows(left, top))
    if node.kind == "inner" and _is_ordered_by(right, top) and has_one_match(right, left, on):
        return replace(node, right=_first_rows(right, top))
    return node


def _is_ordered_by(side: Node, top: Top, others: Iterable[str] = ()) -> bool:
    """Whether the order is of attributes of the side, and the side has more rows than are wanted."""
    names = {term.name for term in top.order}
    if not names.issubset(side.heading.names) or names.intersection(others):
        return False
    bound = row_bound(side)
    return top.limit is None or bound is None or bound > top.limit


def _first_rows(node: Node, top: Top) -> Node:
    below = _with_first_rows(node, top)
    return Top(node, top.order, top.limit, top.offset) if below is node else below
