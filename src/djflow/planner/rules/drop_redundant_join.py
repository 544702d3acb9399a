"""A table that gives nothing is not joined."""

from djflow.model.table import Heading
from djflow.planner.facts import always_matches, is_unique_on, matches_exactly
from djflow.planner.nodes import Join, Node, Project, SemiJoin
from djflow.planner.scalar import Column


def drop_redundant_join(node: Node) -> Node:
    """``Child * Parent.proj()`` becomes ``Child``, by their foreign key; ``R * S.proj()`` becomes ``R & S``.

    A side goes that gives only matched attributes and no match twice; a left join of it filters nothing.

    >>> from djflow.definition import bind, parse
    >>> from djflow.model.names import TableName
    >>> from djflow.planner.nodes import Scan
    >>> rigs = Scan(bind(parse("id : int32"), TableName("lab", "rig"), resolve=None, codec_dtype=None))
    >>> drop_redundant_join(Join(rigs, rigs, ("id",), rigs.heading)) is rigs
    True
    """
    if not isinstance(node, Join) or not _has_bare_side(node):
        return node
    if not matches_exactly(node.left, node.right, node.on):
        return node
    sides = [side for side in _removable(node) if _can_give(side[0], node.heading)]
    for kept, other in sides:
        if node.kind == "left" or always_matches(kept, other, node.on):
            return _giving(kept, node.heading)
    if not sides:
        return node
    kept, other = sides[0]
    return _giving(SemiJoin(kept, other, node.on), node.heading)


def _has_bare_side(node: Join) -> bool:
    return any(len(side.heading) == len(node.on) for side in (node.left, node.right))


def _removable(node: Join) -> list[tuple[Node, Node]]:
    """Each side that could stay alone, with the other, which gives at most one match and nothing else."""
    sides = [(node.left, node.right)]
    if node.kind == "inner":
        sides.append((node.right, node.left))
    return [
        (kept, other)
        for kept, other in sides
        if len(other.heading) == len(node.on) and is_unique_on(other, node.on)
    ]


def _can_give(node: Node, heading: Heading) -> bool:
    return all(node.heading[a.name].stored == a.stored for a in heading)


def _giving(node: Node, heading: Heading) -> Node:
    """The node with what the heading says of the same attributes, such as that they are never null."""
    if node.heading == heading:
        return node
    return Project(node, tuple((a, Column(a.name, a.stored)) for a in heading))
