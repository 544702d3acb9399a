"""Aggregation taken apart: group the other side first, then join the groups to the rows."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

from djflow.model.table import Attribute, Heading
from djflow.planner import scalar as s
from djflow.planner.facts import is_unique_on
from djflow.planner.functions import FUNCTIONS
from djflow.planner.key_conditions import conditions_on
from djflow.planner.nodes import (
    Aggregate,
    Empty,
    Group,
    Join,
    LocalFrame,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    inputs,
)


def calls_of(summaries: Iterable[tuple[Attribute, s.Scalar]]) -> tuple[s.Call, ...]:
    """The calls of aggregate functions inside summaries, each once, in order of appearance."""
    found = (
        part for _, e in summaries for part in s.walk(e) if isinstance(part, s.Call) and is_summary(part)
    )
    return tuple(dict.fromkeys(found))


def is_summary(call: s.Call) -> bool:
    """Whether a call summarises rows."""
    return FUNCTIONS[call.function].is_aggregate


def replace_calls(expression: s.Scalar, values: Mapping[s.Call, s.Scalar]) -> s.Scalar:
    """The expression with calls replaced by what holds their value."""
    if isinstance(expression, s.Call) and expression in values:
        return values[expression]
    return s.map_children(expression, lambda child: replace_calls(child, values))


def as_join_of_groups(node: Aggregate) -> Node:
    """The same rows from a join: each group is summarised once, whatever else is selected."""
    calls = calls_of(node.summaries)
    taken = {*node.source.heading.names, *node.other.heading.names}
    free = (name for n in range(1, len(calls) + len(taken) + 2) if (name := f"s{n}") not in taken)
    names = dict(zip(calls, free, strict=False))
    made: list[tuple[Attribute, s.Scalar]] = [(_summary(names[call], call), call) for call in calls]
    groups = _groups(node, made)
    kind: Literal["inner", "left"] = "left" if node.keep_all else "inner"
    added = [replace(a, nullable=node.keep_all or a.nullable) for a, _ in made]
    joined = Join(node.source, groups, node.on, Heading((*node.source.heading, *added)), kind)
    values = {call: _present(call, names[call]) for call in calls}
    columns: list[tuple[Attribute, s.Scalar]] = [(a, s.Column(a.name, a.stored)) for a in node.source.heading]
    columns += [(a, replace_calls(e, values)) for a, e in node.summaries]
    return Project(joined, tuple(columns))


def _summary(name: str, call: s.Call) -> Attribute:
    return Attribute(name, call.type, call.type, nullable=not FUNCTIONS[call.function].non_null)


def _groups(node: Aggregate, made: list[tuple[Attribute, s.Scalar]]) -> Node:
    rows = _summarised(node, made)
    if node.on:
        return Group(rows, node.on, tuple(made))
    # Without a key all rows are one group; of no rows there is none.
    number = replace(_summary("rows", s.Call("count", (), s.INT64)), name="s0")
    counted = Group(rows, (), (*made, (number, s.Call("count", (), s.INT64))))
    some = Restrict(counted, s.Compare(">", s.Column("s0", s.INT64), s.Constant(0, s.INT64)))
    return Project(some, tuple((a, s.Column(a.name, a.stored)) for a, _ in made))


def _summarised(node: Aggregate, made: list[tuple[Attribute, s.Scalar]]) -> Node:
    """The rows to summarise: those that can match, with the source's attributes if summaries read them."""
    read = {name for _, call in made for name in s.columns_of(call)}
    if any(name not in node.other.heading for name in read):
        extra = tuple(a for a in node.source.heading if a.name not in node.other.heading)
        return Join(node.other, node.source, node.on, Heading((*node.other.heading, *extra)))
    conditions, rest = conditions_on(node.source, node.other, node.on)
    rows = Restrict(node.other, s.conjunction(conditions)) if conditions else node.other
    return SemiJoin(rows, node.source, node.on) if is_selective(rest) else rows


def is_selective(node: Node) -> bool:
    """Whether a plan may leave out many rows of its tables, and is cheap enough to be asked twice."""
    match node:
        case Scan():
            return False
        case Restrict() | SemiJoin() | LocalFrame() | Empty():
            return not any(_is_costly(operand) for operand in inputs(node))
        case Top(limit=int()):
            return not _is_costly(node)
        case _:
            return not _is_costly(node) and any(map(is_selective, inputs(node)))


def _is_costly(node: Node) -> bool:
    match node:
        case Top(source, order, limit=int()) if is_unique_on(source, (term.name for term in order)):
            # Without ties in the order it gives the same rows when asked again.
            return _is_costly(source)
        case Scan() | LocalFrame() | Empty() | Restrict() | SemiJoin() | Project() | Join():
            return any(map(_is_costly, inputs(node)))
        case _:
            return True


def _present(call: s.Call, name: str) -> s.Scalar:
    """A count of nothing is zero; of the row that stands for no match, one, as documented for `count(*)`."""
    column = s.Column(name, call.type)
    if not FUNCTIONS[call.function].non_null:
        return column
    return s.Call("_zero_if_null" if call.args else "_one_if_null", (column,), call.type)
