"""Summarise the children of each parent before the parents are joined and grouped."""

from collections.abc import Callable, Mapping
from typing import Final

from djflow.model.table import Attribute, Heading
from djflow.planner.facts import has_one_match, is_unique_on, matches_exactly
from djflow.planner.grouping import calls_of, replace_calls
from djflow.planner.naming import unused_name
from djflow.planner.nodes import Group, Join, Node, Project
from djflow.planner.scalar import INT64, Call, Column, Scalar, columns_of

# Summaries of groups are summarised again by these.
_AGAIN: Final[Mapping[str, str]] = {
    "count": "sum",
    "sum": "sum",
    "min": "min",
    "max": "max",
    "bool_and": "bool_and",
    "bool_or": "bool_or",
}


def group_before_join(node: Node) -> Node:
    """``Child * Parent`` grouped by ``p`` of the parent becomes ``Child`` grouped, joined, and grouped again.

    It holds where a foreign key gives each child one parent, and the summaries are of children alone and can
    be summed up: the parents are joined to one row for each of them instead of to every child.

    >>> from djflow.model.table import Heading
    >>> from djflow.planner.nodes import Empty
    >>> group_before_join(Group(Empty(Heading(())), (), ())).source
    Empty(heading=Heading(attributes=()))
    """
    if not isinstance(node, Group) or not node.keys or not node.summaries:
        return node
    join = _without_names_dropped(node.source)
    if not isinstance(join, Join):
        return node
    sides = [(join.left, join.right)]
    if join.kind == "inner":
        sides.append((join.right, join.left))
    return next((_grouped(node, *pair, join.on) for pair in sides if _pays(node, *pair, join.on)), node)


def _without_names_dropped(node: Node) -> Node:
    """What a projection selects from, where it changes no attribute."""
    match node:
        case Project(source, columns) if all(isinstance(e, Column) and e.name == a.name for a, e in columns):
            return source
        case _:
            return node


def _pays(node: Group, child: Node, parent: Node, on: tuple[str, ...]) -> bool:
    own = {*on, *(name for name in node.keys if name in child.heading)}
    if own.issuperset(node.keys) or is_unique_on(child, own):
        return False
    calls = calls_of(node.summaries)
    fits = all(call.function in _AGAIN or call.function == "avg" for call in calls)
    alone = all(name in child.heading for call in calls for name in columns_of(call))
    return fits and alone and matches_exactly(child, parent, on) and has_one_match(child, parent, on)


def _grouped(node: Group, child: Node, parent: Node, on: tuple[str, ...]) -> Node:
    heading = node.source.heading
    taken = [*child.heading.names, *parent.heading.names]
    made: list[tuple[Attribute, Scalar]] = []
    values: dict[Call, Scalar] = {}

    def partial(call: Call) -> Column:
        name = unused_name("part", taken)
        taken.append(name)
        made.append((Attribute(name, call.type, call.type, nullable=True), call))
        return Column(name, call.type)

    for call in calls_of(node.summaries):
        if call.function == "avg":
            values[call] = _mean(call, partial)
        else:
            values[call] = Call(_AGAIN[call.function], (partial(call),), call.type)
    own = tuple(dict.fromkeys((*on, *(name for name in node.keys if name in child.heading))))
    groups = Group(child, own, tuple(made))
    kept = {a.name: a for a in heading}
    known = (kept.get(a.name, a) for a in groups.heading)
    rest = (kept[name] for name in node.keys if name not in own)
    joined = Join(groups, parent, on, Heading((*known, *rest)))
    return Group(joined, node.keys, tuple((a, replace_calls(e, values)) for a, e in node.summaries))


def _mean(call: Call, partial: "Callable[[Call], Column]") -> Scalar:
    """A mean from the totals and numbers of the groups."""
    total = Call("sum", (partial(Call("sum", call.args, call.type)),), call.type)
    number = Call("sum", (partial(Call("count", call.args, INT64)),), INT64)
    return Call("_ratio", (total, number), call.type)
