"""Hypothesis strategies of plans over given tables; they need the package `hypothesis`.

Plans come from the same analysis as users' queries. Where it refuses an operator, another is tried.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from djflow.errors import QueryError, SemanticMatchError
from djflow.model.table import Heading, Table
from djflow.planner import analyze
from djflow.planner.nodes import (
    Aggregate,
    Join,
    LocalFrame,
    Node,
    Scan,
    SemiJoin,
    Top,
    Union,
    asked,
    inputs,
)
from djflow.relation.conditions import AndList, Not, restricted
from djflow.testing import polars_strategies
from djflow.testing.expressions import conditions, expressions, summaries
from djflow.testing.restrictions import dicts, frames, joinable_frames

# A table of a small database has no more rows, and a plan should have no more than the other number.
_ROWS: Final = 5
_MOST_ROWS: Final = 150
_TRIES: Final = 4


@dataclass(frozen=True, slots=True)
class _Query:
    """A plan where a relation is expected."""

    logical_plan: Node


@dataclass(frozen=True, slots=True)
class _Maker:
    """What operators are made with; `level` is how many operators there may be below."""

    draw: st.DrawFn
    tables: Sequence[Table]
    level: int

    def __call__(self, strategy: st.SearchStrategy[Any]) -> Any:
        return self.draw(strategy)

    def once_in(self, times: int) -> bool:
        return bool(self.draw(st.integers(0, times - 1)) == times - 1)

    def operand(self, tables: Sequence[Table] | None = None) -> Node:
        """Another plan, mostly a simpler one."""
        most = self.draw(st.sampled_from((0, 0, 1, 1, 2, self.level)))
        return self.draw(_operands(tables or self.tables, min(most, self.level)))


_Operator: TypeAlias = Callable[[_Maker, Node], Node]


@st.composite
def plans(draw: st.DrawFn, tables: Sequence[Table], depth: int = 4) -> Node:
    """A plan of at most `depth` operators above each other in one line, mostly of nearly as many."""
    least = (depth + 1) // 2
    sizes = (*range(depth + 1), *range(least, depth + 1), *range(least, depth + 1), depth)
    return _operators(draw, tables, draw(st.sampled_from(sizes)))


# A strategy of its own: else Hypothesis takes operands, which are simple, for plans when it varies them.
@st.composite
def _operands(draw: st.DrawFn, tables: Sequence[Table], depth: int) -> Node:
    return _operators(draw, tables, draw(st.integers(0, depth)))


def _operators(draw: st.DrawFn, tables: Sequence[Table], several: int) -> Node:
    plan: Node = Scan(draw(st.sampled_from(tables)))
    for level in range(several):
        plan = _applied(_Maker(draw, tables, level), plan)
    return plan


def _applied(make: _Maker, source: Node) -> Node:
    """The source with an operator that analysis accepts."""
    for _ in range(_TRIES):
        operator = make(_WEIGHTED)
        try:
            plan: Node = operator(make, source)
        except (QueryError, SemanticMatchError):
            continue
        if _row_bound(plan) <= _MOST_ROWS:
            return plan
    return source


def operator_names(plan: Node) -> Iterator[str]:
    """What the operators of a plan are called, those of operands and of conditions included.

    >>> from djflow.planner.nodes import Empty
    >>> list(operator_names(Top(Empty(Heading(())), (), 3)))
    ['Top of what order there is', 'Empty']
    """
    match plan:
        case Join(kind=kind, on=on):
            yield f"Join, {kind}{'' if on else ', all pairs'}"
        case SemiJoin(negated=negated, other=other):
            yield f"SemiJoin, {'none' if negated else 'some'}{' of a frame' * isinstance(other, LocalFrame)}"
        case Aggregate(keep_all=keep_all):
            yield f"Aggregate{'' if keep_all else ', matching'}"
        case Top(order=order):
            yield "Top" if order else "Top of what order there is"
        case _:
            yield type(plan).__name__
    for other in asked(plan):
        yield "Matches"
        yield from operator_names(other)
    for operand in inputs(plan):
        yield from operator_names(operand)


def depth_of(plan: Node) -> int:
    """How many operators stand above each other."""
    return max((1 + depth_of(operand) for operand in (*inputs(plan), *asked(plan))), default=0)


def _row_bound(plan: Node) -> int:
    """About how many rows a plan may have: combinations of combinations would take too long."""
    match plan:
        case Scan(table):
            return 1 if table.is_singleton else _ROWS
        case LocalFrame(frame):
            return int(frame.num_rows)
        case Join():
            return _pair_bound(plan)
        case Union(left, right):
            return _row_bound(left) + _row_bound(right)
        case Top(source, _, int(limit)):
            return min(_row_bound(source), limit)
        case _:
            return max((_row_bound(operand) for operand in inputs(plan)[:1]), default=0)


def _pair_bound(plan: Join) -> int:
    left, right = _row_bound(plan.left), _row_bound(plan.right)
    if set(plan.right.heading.primary_key) <= set(plan.on):
        return left
    return right if set(plan.left.heading.primary_key) <= set(plan.on) else left * right


# restriction


def _restrict(make: _Maker, source: Node) -> Node:
    return restricted(source, _either_way(make, _condition(make, source.heading, 2)))


def _restrict_twice(make: _Maker, source: Node) -> Node:
    """The shape of a condition, and the next one of the same."""
    first, second = (make(conditions(source.heading)) for _ in range(2))
    return restricted(restricted(source, first), _either_way(make, second))


def _condition(make: _Maker, heading: Heading, nested: int) -> Any:
    """A condition of any kind: strings and dicts, frames, queries, and lists of conditions."""
    kind = make(
        st.sampled_from(("text", "text", "dict", "frame", "query", "any", "all") if nested else _SIMPLE)
    )
    match kind:
        case "text":
            return make(conditions(heading))
        case "dict":
            return make(dicts(heading))
        case "frame":
            return make(frames(heading))
        case "query":
            return _Query(_beside(make, make.operand(), heading))
        case "polars":
            return make(polars_strategies.translated_conditions(heading))
    several = [
        _either_way(make, _condition(make, heading, nested - 1))
        for _ in range(make(st.sampled_from((2, 1, 3))))
    ]
    return AndList(several) if kind == "all" else several


_SIMPLE: Final = ("text", "dict", "polars", "query")


def _either_way(make: _Maker, condition: Any) -> Any:
    return Not(condition) if make.once_in(3) else condition


def _restrict_by_polars(make: _Maker, source: Node) -> Node:
    return restricted(source, _either_way(make, make(polars_strategies.conditions(source.heading))))


def _semi_join(make: _Maker, source: Node) -> Node:
    other, semantic = _comparable(make, source)
    return analyze.semi_join(source, other, negated=make(st.booleans()), semantic_check=semantic)


# joins


def _join(make: _Maker, source: Node) -> Node:
    other, semantic = _comparable(make, source)
    pair = (source, other) if make(st.booleans()) else (other, source)
    return analyze.join(*pair, semantic_check=semantic)


def _left_join(make: _Maker, source: Node) -> Node:
    other, semantic = _comparable(make, source)
    if not _determines(source, other):
        if _determines(other, source):
            source, other = other, source
        else:
            keys = [name for name in _groupable(other) if name in source.heading]
            other = analyze.group(other, keys, {f"of{make.level}": make(summaries(other.heading))})
    return analyze.join(source, other, keep_left=True, semantic_check=semantic)


def _determines(left: Node, right: Node) -> bool:
    return all(name in left.heading for name in right.heading.primary_key)


def _join_frame(make: _Maker, source: Node) -> Node:
    frame = make(joinable_frames(source.heading, f"own{make.level}")).beside(source.heading)
    if make(st.booleans()) and _determines(source, frame):
        return analyze.join(source, frame, keep_left=True)
    return analyze.join(source, frame)


def _comparable(make: _Maker, source: Node) -> tuple[Node, bool]:
    """Another plan, and whether lineage is to be checked: namesakes of other origin are mostly renamed."""
    origins = {a.lineage for a in source.heading}
    related = [table for table in make.tables if any(a.lineage in origins for a in table.heading if a.in_key)]
    other = make.operand(make(st.sampled_from((related, related, related, None))))
    if make.once_in(6):
        return other, False
    return _beside(make, other, source.heading), True


def _beside(make: _Maker, other: Node, heading: Heading) -> Node:
    strangers = [
        a.name
        for a in other.heading
        if a.name in heading and (a.lineage is None or a.lineage != heading[a.name].lineage)
    ]
    if not strangers:
        return other
    return analyze.project(other, (...,), {f"{name[:40]}_o{make.level}": name for name in strangers})


# attributes


def _project(make: _Maker, source: Node) -> Node:
    heading, level = source.heading, make.level
    names: list[Any] = make(st.lists(st.sampled_from((..., *heading.names)), max_size=4))
    if ... in names and heading.secondary:
        names.append("-" + make(st.sampled_from(heading.secondary)))
    named = {f"r{level}_{old}"[:60]: old for old in make(_some(heading.names))}
    if make.once_in(3):
        named.update(dict(zip(heading.names[:2], heading.names[1::-1], strict=True)))
    named |= make(st.dictionaries(st.sampled_from((f"c{level}", "c")), expressions(heading), max_size=2))
    return analyze.project(source, names, named)


def _compute_in_polars(make: _Maker, source: Node) -> Node:
    found = polars_strategies.expressions(source.heading)
    named = make(st.dictionaries(st.sampled_from((f"p{make.level}", "p")), found, min_size=1, max_size=2))
    return analyze.project(source, (...,), named)


# summaries


def _summarised(make: _Maker, source: Node) -> Node:
    """A plan with the key of the source."""
    key = set(source.heading.primary_key)
    children = [table for table in make.tables if key <= set(table.heading.names)]
    other = _beside(make, make.operand(children or None), source.heading)
    return other if key <= set(other.heading.names) else analyze.join(other, source)


def _aggregate(make: _Maker, source: Node) -> Node:
    other = _summarised(make, source)
    names: list[Any] = make(st.lists(st.sampled_from((..., *source.heading.names)), max_size=2))
    extra = (a for a in source.heading if a.name not in other.heading)
    combined = Heading((*other.heading, *extra))
    named = make(st.dictionaries(st.sampled_from((f"s{make.level}", "s")), summaries(combined), max_size=2))
    return analyze.aggregate(source, other, names, named, exclude_nonmatching=make(st.booleans()))


def _aggregate_in_polars(make: _Maker, source: Node) -> Node:
    other = _summarised(make, source)
    named = {f"q{make.level}": make(polars_strategies.summaries(other.heading))}
    if make(st.booleans()):
        named[f"s{make.level}"] = make(summaries(other.heading))
    return analyze.aggregate(source, other, (...,), named, exclude_nonmatching=make(st.booleans()))


def _group(make: _Maker, source: Node) -> Node:
    found: st.SearchStrategy[Any] = summaries(source.heading)
    if make.once_in(6):
        found = polars_strategies.summaries(source.heading)
    named = make(st.dictionaries(st.sampled_from((f"g{make.level}", "g")), found, max_size=2))
    return analyze.group(source, make(_some(_groupable(source))), named)


# sets


def _distinct(make: _Maker, source: Node) -> Node:
    return analyze.distinct(source, make(_some(_groupable(source), 3)))


def _union(make: _Maker, source: Node) -> Node:
    key = set(source.heading.primary_key)
    alike = [table for table in make.tables if set(table.primary_key) == key]
    other = make.operand(alike) if alike and make(st.booleans()) else source
    if set(other.heading.primary_key) != key:
        other = source
    if make.once_in(3):
        other = restricted(other, make(conditions(other.heading)))
    shared = [name for name in other.heading.secondary if name in source.heading]
    renamed = {f"{name[:40]}_u{make.level}": name for name in shared}
    other = analyze.project(other, (), {}) if make(st.booleans()) else analyze.project(other, (...,), renamed)
    return analyze.union(*((source, other) if make(st.booleans()) else (other, source)))


def _union_of_values(make: _Maker, source: Node) -> Node:
    """Regrouped relations, whose keys may be null."""
    other = make.operand()
    shared = [
        name
        for name in _groupable(source)
        if name in _groupable(other)
        and source.heading[name].lineage == other.heading[name].lineage is not None
    ]
    if not shared:
        other, shared = source, [a.name for a in source.heading if a.lineage and a.name in _groupable(source)]
    names = make(st.lists(st.sampled_from(shared), min_size=1, max_size=2, unique=True)) if shared else []
    counted = analyze.group(other, names, {f"n{make.level}": make(summaries(other.heading))})
    return analyze.union(analyze.distinct(source, names), counted)


def _groupable(source: Node) -> list[str]:
    return [a.name for a in source.heading if str(a.stored) != "json"]


# order


def _top(make: _Maker, source: Node) -> Node:
    terms = [f"{name}{make(st.sampled_from(('', ' DESC')))}" for name in make(_some(_groupable(source)))]
    limit = make(st.none() | st.integers(0, 6))
    return analyze.top(source, terms or None, limit, make(st.sampled_from((0, 0, 1, 2))))


def _top_again(make: _Maker, source: Node) -> Node:
    ordered = _top(make, source)
    limit, offset = make(st.none() | st.integers(0, 4)), make(st.sampled_from((0, 1)))
    return analyze.top(ordered, make(st.sampled_from((None, "KEY", "KEY DESC"))), limit, offset)


_WEIGHTS: Final[dict[_Operator, int]] = {
    _restrict: 5,
    _restrict_twice: 1,
    _restrict_by_polars: 1,
    _semi_join: 3,
    _join: 4,
    _left_join: 3,
    _join_frame: 1,
    _project: 4,
    _compute_in_polars: 1,
    _aggregate: 3,
    _aggregate_in_polars: 1,
    _group: 2,
    _distinct: 1,
    _union: 2,
    _union_of_values: 1,
    _top: 2,
    _top_again: 1,
}
_WEIGHTED: Final = st.sampled_from([operator for operator, weight in _WEIGHTS.items() for _ in range(weight)])


def _some(names: Sequence[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    if not names:
        return st.just([])
    return st.lists(st.sampled_from(names), max_size=most, unique=True)
