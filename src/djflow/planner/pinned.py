"""Which rows of each table can matter for the result of a plan, as far as equalities tell.

The analysis goes up the plan, for what all rows of a node have in common, and down again, for the rows that
who asks could notice. It may find less than is true, but never more: a plan gives the same result without the
other rows of its tables.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeAlias

from djflow.model.table import Attribute, Heading, Table
from djflow.model.types import StoredType
from djflow.planner import scalar as s
from djflow.planner.facts import compares_exactly
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    Join,
    LocalAggregate,
    LocalCompute,
    LocalFrame,
    LocalRestrict,
    Node,
    Project,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
    asked,
    inputs,
)
from djflow.planner.pins import NOTHING, Among, Facts, OneOf, all_of, any_of, picked


@dataclass(frozen=True, slots=True, eq=False)
class PinnedScan:
    """One place of a plan at which a table is read. Of its rows, those that do not meet `pins` do not matter.

    `is_known` tells that it belongs to a plan that the caller knew.
    """

    table: Table
    pins: Facts
    is_known: bool = False


def pinned_scans(plan: Node, known: Collection[Node] = ()) -> tuple[PinnedScan, ...]:
    """All places of a plan at which tables are read, and which of their rows matter there.

    `known` are plans that may be parts of this one; they are told by identity.
    """
    ascent = _Ascent(frozenset(map(id, known)))
    top = ascent.step(plan)
    pins: list[Facts] = [NOTHING] * len(ascent.scans)
    waiting: list[tuple[_Step, Facts]] = [(top, NOTHING)]
    while waiting:
        step, wanted = waiting.pop()
        wanted = all_of((wanted, step.facts))
        if step.scan is not None:
            pins[step.scan] = wanted
        waiting += zip(step.below, _wanted_below(step.node, wanted), strict=True)
    return tuple(
        PinnedScan(scan.table, facts, is_known)
        for (scan, is_known), facts in zip(ascent.scans, pins, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Step:
    """A node, what all of its rows have in common, its operands and then the plans that it asks."""

    node: Node
    facts: Facts
    below: "tuple[_Step, ...]"
    scan: int | None = None


# up


@dataclass(slots=True)
class _Ascent:
    known: frozenset[int]
    scans: list[tuple[Scan, bool]] = field(default_factory=list)
    depth_known: int = 0  # how many known plans are around

    def step(self, node: Node) -> _Step:
        is_known = id(node) in self.known
        self.depth_known += is_known
        if isinstance(node, Scan):
            self.scans.append((node, self.depth_known > 0))
            number = len(self.scans) - 1
            made = _Step(node, _of_scan(node.table, number), (), number)
        else:
            others = asked(node) if isinstance(node, Restrict) else ()
            below = tuple(map(self.step, (*inputs(node), *others)))
            made = _Step(node, _in_common(node, below), below)
        self.depth_known -= is_known
        return made


def _of_scan(table: Table, number: int) -> Facts:
    """The columns by which other tables may be matched: those of the key, and of references."""
    names = (*table.heading.primary_key, *(own for key in table.foreign_keys for own in key.own))
    return {name: (Among(number, name),) for name in names if name in table.heading}


def _in_common(node: Node, below: Sequence[_Step]) -> Facts:
    """What all rows of a node have in common."""
    match node:
        case LocalFrame(frame, heading):
            return {name: (OneOf(columns=(frame.column(name),)),) for name in heading.names}
        case Restrict(_, condition):
            plans = {id(step.node): step.facts for step in below[1:]}
            return all_of((below[0].facts, _of_condition(condition, node.heading, plans)))
        case Project(_, columns):
            return _renamed(below[0].facts, columns)
        case Union(left, right):
            key = [name for name in node.heading.primary_key if _is_alike(name, left, right)]
            return any_of([picked(step.facts, key) for step in below])
        case Group(_, keys):
            return picked(below[0].facts, keys)
        case SemiJoin() | Join() | Aggregate() | LocalAggregate():
            return _of_pairs(node, below)
        case _:
            return below[0].facts if below else NOTHING


def _of_pairs(node: SemiJoin | Join | Aggregate | LocalAggregate, below: Sequence[_Step]) -> Facts:
    first, second = (step.facts for step in below)
    on = [name for name in node.on if _is_alike(name, below[0].node, below[1].node)]
    match node:
        case SemiJoin(negated=False) | Aggregate(keep_all=False) | LocalAggregate(keep_all=False):
            return all_of((first, picked(second, on)))
        case Join(kind="inner"):
            others = [name for name in below[1].node.heading.names if name not in node.on]
            return all_of((first, picked(second, (*on, *others))))
        case _:
            return first


def _of_condition(condition: s.Scalar, heading: Heading, plans: Mapping[int, Facts]) -> Facts:
    """What a condition says of rows for which it is true."""

    def inner(item: s.Scalar) -> Facts:
        return _of_condition(item, heading, plans)

    match condition:
        case s.And(items):
            return all_of(map(inner, items))
        case s.Or(items):
            return any_of([inner(item) for item in items])
        case s.IsTrue(item):
            return inner(item)
        case s.Compare("=", s.Column() as column, s.Constant() as constant) | s.Compare(
            "=", s.Constant() as constant, s.Column() as column
        ):
            return _one_of(column, constant.type, (constant.value,))
        case s.InList(s.Column() as column, values, type_):
            return _one_of(column, type_, values)
        case s.Matches(other, on):
            alike = (n for n in on if compares_exactly(heading[n].stored, other.heading[n].stored))
            return picked(plans[id(other)], alike)
        case _:
            return NOTHING


def _one_of(column: s.Column, type_: StoredType, values: Iterable[Any]) -> Facts:
    are_decimals = s.core_name(column.type) == s.core_name(type_) == "decimal"
    known = [value for value in values if value is not None]  # nothing equals a null
    if not (are_decimals or compares_exactly(column.type, type_)) or not all(map(_is_plain, known)):
        return NOTHING
    return {column.name: (OneOf(frozenset(known)),)}


def _is_plain(value: Any) -> bool:
    return isinstance(value, Hashable)


# down


def _wanted_below(node: Node, wanted: Facts) -> Iterator[Facts]:
    """Of each operand and then each plan that is asked, the rows that matter if `wanted` ones do above."""
    match node:
        case Project(source, columns):
            yield _unnamed(wanted, columns)
        case Group(_, keys):
            yield picked(wanted, keys)
        case Union(left, right):
            key = [name for name in node.heading.primary_key if _is_alike(name, left, right)]
            yield from [picked(wanted, key)] * 2
        case SemiJoin() | Join() | Aggregate() | LocalAggregate():
            yield from _wanted_of_pairs(node, wanted)
        case _:
            for source in inputs(node):
                yield picked(wanted, source.heading.names) if _goes_row_by_row(node) else NOTHING
    if isinstance(node, Restrict):
        yield from (_matched(node, other, wanted) for other in asked(node))


def _wanted_of_pairs(node: SemiJoin | Join | Aggregate | LocalAggregate, wanted: Facts) -> Iterator[Facts]:
    first, second = inputs(node)
    on = [name for name in node.on if _is_alike(name, first, second)]
    yield picked(wanted, first.heading.names)
    if isinstance(node, Join):
        # Of a left join, too: where what is wanted of the right side is missing, the row does not matter.
        yield picked(wanted, (*on, *(name for name in second.heading.names if name not in node.on)))
    else:
        yield picked(wanted, on)


def _matched(node: Restrict, other: Node, wanted: Facts) -> Facts:
    """Of a plan that a condition asks, in one way or several, the rows that may equal one which matters."""
    ways = [part.on for part in s.walk(node.condition) if isinstance(part, s.Matches) and part.other is other]
    shared = reduce(set[str].intersection, map(set[str], ways))
    return picked(wanted, (name for name in shared if _is_alike(name, node, other)))


def _goes_row_by_row(node: Node) -> bool:
    match node:
        case Top(_, _, limit, offset):
            return limit is None and not offset
        case LocalRestrict(_, condition):
            return condition.is_elementwise
        case LocalCompute(_, made):
            return all(expression.is_elementwise for _, expression in made)
        case _:
            return isinstance(node, Restrict | Distinct | Scan | LocalFrame | Empty)


def _is_alike(name: str, first: Node, second: Node) -> bool:
    return compares_exactly(first.heading[name].stored, second.heading[name].stored)


_Columns: TypeAlias = Sequence[tuple[Attribute, s.Scalar]]


def _renamed(facts: Facts, columns: _Columns) -> Facts:
    return {
        attribute.name: facts[expression.name]
        for attribute, expression in columns
        if isinstance(expression, s.Column) and expression.name in facts
    }


def _unnamed(facts: Facts, columns: _Columns) -> Facts:
    return all_of(
        {expression.name: facts[attribute.name]}
        for attribute, expression in columns
        if isinstance(expression, s.Column) and attribute.name in facts
    )
