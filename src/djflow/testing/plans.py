"""Hypothesis strategies of plans over given tables; they need the package `hypothesis`.

Plans come from the same analysis as users' queries. What it refuses is left out.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import pyarrow as pa
from hypothesis import strategies as st

from djflow.errors import QueryError, SemanticMatchError
from djflow.model.table import Attribute, Heading, Table
from djflow.model.types import arrow_type
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.relation.conditions import Not, restricted
from djflow.testing.databases import AWKWARD_TEXTS, values
from djflow.testing.expressions import conditions, expressions, summaries

_Operator: TypeAlias = "Callable[[st.DrawFn, Node, Sequence[Table], int], Node]"


@st.composite
def plans(draw: st.DrawFn, tables: Sequence[Table], depth: int = 4) -> Node:
    """A plan of at most `depth` operators above each other."""
    if depth == 0:
        return Scan(draw(st.sampled_from(tables)))
    source = draw(plans(tables, depth - 1))
    operator = draw(st.sampled_from(_OPERATORS))
    try:
        return operator(draw, source, tables, depth)
    except (QueryError, SemanticMatchError):
        return source


def _same(_draw: st.DrawFn, source: Node, _tables: Sequence[Table], _depth: int) -> Node:
    return source


def _restrict_by_text(draw: st.DrawFn, source: Node, _tables: Sequence[Table], _depth: int) -> Node:
    return restricted(source, _either_way(draw, draw(conditions(source.heading))))


def _restrict_by_values(draw: st.DrawFn, source: Node, _tables: Sequence[Table], _depth: int) -> Node:
    return restricted(source, _either_way(draw, draw(_dicts(source.heading))))


def _restrict_by_any_of(draw: st.DrawFn, source: Node, _tables: Sequence[Table], _depth: int) -> Node:
    options = _dicts(source.heading) | conditions(source.heading)
    return restricted(source, _either_way(draw, draw(st.lists(options, min_size=1, max_size=3))))


def _restrict_by_frame(draw: st.DrawFn, source: Node, _tables: Sequence[Table], _depth: int) -> Node:
    return restricted(source, _either_way(draw, draw(_frames(source.heading))))


def _either_way(draw: st.DrawFn, condition: Any) -> Any:
    return draw(st.sampled_from((condition, Not(condition))))


def _semi_join(draw: st.DrawFn, source: Node, tables: Sequence[Table], depth: int) -> Node:
    other = draw(plans(tables, draw(st.integers(0, depth - 1))))
    negated, semantic = draw(st.booleans()), draw(st.sampled_from((True, True, False)))
    return analyze.semi_join(source, other, negated=negated, semantic_check=semantic)


def _join(draw: st.DrawFn, source: Node, tables: Sequence[Table], depth: int) -> Node:
    other = draw(plans(tables, draw(st.integers(0, depth - 1))))
    semantic = draw(st.sampled_from((True, True, False)))
    return analyze.join(source, other, semantic_check=semantic)


def _left_join(draw: st.DrawFn, source: Node, tables: Sequence[Table], depth: int) -> Node:
    other = draw(plans(tables, draw(st.integers(0, depth - 1))))
    return analyze.join(source, other, keep_left=True)


def _project(draw: st.DrawFn, source: Node, _tables: Sequence[Table], depth: int) -> Node:
    heading = source.heading
    names: list[Any] = draw(st.lists(st.sampled_from((..., *heading.names)), max_size=4))
    if ... in names and heading.secondary:
        names.append("-" + draw(st.sampled_from(heading.secondary)))
    named = {f"r{depth}_{old}"[:60]: old for old in draw(_some(heading.names))}
    if draw(st.booleans()):
        named.update(dict(zip(heading.names[:2], heading.names[1::-1], strict=True)))
    named |= draw(st.dictionaries(st.sampled_from((f"c{depth}", "c")), expressions(heading), max_size=2))
    return analyze.project(source, names, named)


def _aggregate(draw: st.DrawFn, source: Node, tables: Sequence[Table], depth: int) -> Node:
    other = draw(plans(tables, draw(st.integers(0, depth - 1))))
    if any(name not in other.heading for name in source.heading.primary_key):
        other = analyze.join(other, source)
    names: list[Any] = draw(st.lists(st.sampled_from((..., *source.heading.names)), max_size=2))
    extra = (a for a in source.heading if a.name not in other.heading)
    combined = Heading((*other.heading, *extra))
    named = draw(st.dictionaries(st.sampled_from((f"s{depth}", "s")), summaries(combined), max_size=2))
    return analyze.aggregate(source, other, names, named, exclude_nonmatching=draw(st.booleans()))


def _top(draw: st.DrawFn, source: Node, _tables: Sequence[Table], _depth: int) -> Node:
    sortable = [a.name for a in source.heading if str(a.stored) != "json"]
    terms = [f"{name}{draw(st.sampled_from(('', ' DESC')))}" for name in draw(_some(sortable))]
    limit = draw(st.none() | st.integers(0, 4))
    return analyze.top(source, terms or None, limit, draw(st.sampled_from((0, 0, 1, 2))))


_OPERATORS: Final[tuple[_Operator, ...]] = (
    _same,
    _restrict_by_text,
    _restrict_by_values,
    _restrict_by_any_of,
    _restrict_by_frame,
    _semi_join,
    _join,
    _join,
    _left_join,
    _left_join,
    _project,
    _project,
    _project,
    _aggregate,
    _aggregate,
    _top,
)


def _some(names: Sequence[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    if not names:
        return st.just([])
    return st.lists(st.sampled_from(names), max_size=most, unique=True)


def _wanted(attribute: Attribute) -> st.SearchStrategy[Any]:
    """Values to ask for: such as the column holds, others, none, several."""
    own = values(attribute.stored)
    return st.one_of(
        own, own, st.none(), st.lists(own, max_size=3), st.sampled_from((1e300, 0.25, "1", 2**70))
    )


@st.composite
def _dicts(draw: st.DrawFn, heading: Heading) -> dict[str, Any]:
    condition: dict[str, Any] = {name: draw(_wanted(heading[name])) for name in draw(_some(heading.names, 1))}
    documents = [a.name for a in heading if str(a.stored) == "json"]
    if documents and draw(st.integers(0, 3)) == 0:
        path = draw(st.sampled_from(("k", "s", "d.y", "0")))
        condition[f"{documents[0]}.{path}"] = draw(st.sampled_from((1, "it's", True, None, "2.5")))
    if draw(st.booleans()):
        condition["no_such_attribute"] = draw(st.sampled_from(AWKWARD_TEXTS))
    return condition


@st.composite
def _frames(draw: st.DrawFn, heading: Heading) -> Any:
    """An Arrow table or a list of alike dicts, with attributes of the heading."""
    plain = [a for a in heading if str(a.stored) not in ("json", "bytes")]
    chosen = draw(st.lists(st.sampled_from(plain), max_size=2, unique=True)) if plain else []
    rows = draw(st.lists(st.fixed_dictionaries({a.name: values(a.stored) for a in chosen}), max_size=4))
    if draw(st.booleans()):
        return rows
    return pa.table({a.name: pa.array([row[a.name] for row in rows], arrow_type(a.stored)) for a in chosen})
