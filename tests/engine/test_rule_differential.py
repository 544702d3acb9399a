"""Each rule of the optimiser, applied alone and everywhere, keeps the rows of a plan.

`DJFLOW_TEST_EXAMPLES` scales how many databases are tried for each rule. A rule that no plan here makes fire
fails: add one to `SHAPES`.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, Final

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from djflow.engine.compile import Compiled
from djflow.errors import DjflowError
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.explain import show_plan
from djflow.planner.lower_sql import lower_rows
from djflow.planner.nodes import (
    LocalAggregate,
    LocalCompute,
    LocalRestrict,
    Node,
    Restrict,
    Scan,
    inputs,
    is_ordered,
    with_inputs,
)
from djflow.planner.rewriter import STAGES, Rule
from djflow.planner.text import parse_condition
from djflow.testing.databases import databases
from djflow.testing.naive import evaluate
from djflow.testing.plans import plans

DATABASES = max(5, int(os.environ.get("DJFLOW_TEST_EXAMPLES", "150")) // 25)
_STEPS: Final = 200

Tables = Mapping[str, Node]
Shape = Callable[[Tables], Node]


def where(node: Node, text: str) -> Node:
    return analyze.restrict(node, parse_condition(text, node.heading))


def proj(node: Node, *names: Any, **named: str) -> Node:
    return analyze.project(node, names, named)


def aggr(node: Node, other: Node, *, exclude: bool = False, **named: str) -> Node:
    return analyze.aggregate(node, other, (), named, exclude_nonmatching=exclude)


def but(node: Node, other: Node) -> Node:
    return analyze.semi_join(node, other, negated=True)


def matches(node: Node, other: Node) -> s.Scalar:
    return s.Matches(other, analyze.homologous(node.heading, other.heading))


def any_of(node: Node, *others: Node) -> Restrict:
    """Rows with a row of any of the others."""
    return Restrict(node, s.Or(tuple(matches(node, other) for other in others)))


def extend(node: Node, other: Node) -> Node:
    return analyze.join(node, other, keep_left=True)


join, semi, top, distinct, group, union = (
    analyze.join,
    analyze.semi_join,
    analyze.top,
    analyze.distinct,
    analyze.group,
    analyze.union,
)

# Queries over the tables of `world`, each of which some rules change.
SHAPES: Final[tuple[Shape, ...]] = (
    # restrictions, and where they go
    lambda t: where(where(t["session"], "session > 1"), "subject < 3"),
    lambda t: where(t["trial"], "true"),
    lambda t: where(t["trial"], "session > 1 AND true AND NOT (NOT (trial > 1))"),
    lambda t: where(t["trial"], "false"),
    lambda t: where(proj(t["trial"], "rt", twice="rt * 2"), "twice > 0"),
    lambda t: where(semi(t["trial"], where(t["session"], "big > 1")), "trial > 1"),
    lambda t: where(join(t["session"], t["trial"]), "trial > 1 AND big > 0 AND subject < 3"),
    lambda t: where(extend(t["trial"], proj(t["session"], "big")), "big > 0"),
    lambda t: where(aggr(t["session"], t["trial"], n="count(*)"), "n > 1 AND subject < 3"),
    lambda t: where(group(t["trial"], ["subject"], {"n": "count(*)"}), "n > 1 AND subject < 3"),
    lambda t: where(distinct(t["subject"], ["sex"]), "sex = 'M'"),
    lambda t: where(union(proj(t["subject"], "x"), proj(t["subject"], "sex")), "subject < 3"),
    lambda t: analyze.restrict(t["session"], matches(t["session"], t["trial"])),
    lambda t: where(any_of(t["session"], t["trial"]), "session > 1"),
    lambda t: analyze.exclude(t["session"], any_of(t["session"], t["trial"]).condition),
    lambda t: where(analyze.keep(t["session"], pl.col("notes").str.reverse() == "a"), "session > 1"),
    lambda t: where(
        analyze.project(t["session"], (pl.col("notes").str.reverse().alias("back"),), {}), "session > 1"
    ),
    lambda t: group(
        join(t["trial"], proj(t["session"], "notes")),
        ["notes"],
        {"n": "count(rt)", "rows": "count(*)", "m": "avg(rt)", "most": "max(trial)", "all": "sum(trial)"},
    ),
    lambda t: group(join(proj(t["subject"], "sex"), t["session"]), ["sex", "session"], {"t": "avg(big) + 1"}),
    # projections, orders, what is empty
    lambda t: proj(proj(t["trial"], half="rt / 2"), quarter="half / 2"),
    lambda t: proj(t["trial"], ...),
    lambda t: proj(join(t["trial"], t["session"]), "rt"),
    lambda t: proj(join(t["trial"], t["session"]), "notes"),
    lambda t: join(t["subject"], where(t["session"], "false")),
    lambda t: union(proj(t["subject"], "x"), where(proj(t["subject"], "sex"), "false")),
    lambda t: top(top(t["trial"], "rt", 4), None, 2, 1),
    lambda t: top(t["trial"], "rt", 0),
    lambda t: top(top(t["trial"], "rt DESC"), None),
    lambda t: top(proj(t["trial"], "rt", more="rt + 1"), "rt", 2),
    lambda t: where(top(t["trial"], "rt"), "trial > 1"),
    lambda t: join(top(t["trial"], "rt"), t["session"]),
    # what keys tell: semi-joins
    lambda t: semi(t["trial"], proj(t["session"])),
    lambda t: but(t["trial"], proj(t["session"])),
    lambda t: semi(t["trial"], proj(t["subject"])),
    lambda t: semi(where(t["trial"], "rt > 0"), proj(t["trial"])),
    lambda t: semi(semi(t["session"], t["rig"], semantic_check=False), t["rig"], semantic_check=False),
    lambda t: but(semi(t["subject"], proj(t["trial"])), proj(t["trial"])),
    lambda t: but(but(t["subject"], proj(t["trial"])), proj(t["trial"])),
    lambda t: semi(semi(t["subject"], proj(t["session"])), proj(distinct(t["session"], ["subject"]))),
    lambda t: semi(group(t["trial"], ["subject"], {"n": "count(*)"}), proj(t["subject"])),
    lambda t: semi(union(proj(t["session"]), proj(t["session"], "notes")), proj(t["subject"])),
    lambda t: semi(t["trial"], where(proj(t["session"]), "session > 1")),
    lambda t: but(t["trial"], where(proj(t["session"]), "session > 1 AND subject < 3")),
    lambda t: semi(t["session"], where(proj(t["subject"], mate="subject"), "mate > 1")),
    lambda t: semi(t["trial"], where(proj(t["session"], "big"), "session > 1 AND big > 0")),
    lambda t: semi(t["session"], group(t["trial"], ["subject", "trial"], {"n": "count(*)"})),
    lambda t: but(t["session"], aggr(proj(t["session"]), t["trial"], exclude=True, n="count(*)")),
    lambda t: semi(t["subject"], distinct(where(t["trial"], "rt > 0"), ["subject", "trial"])),
    lambda t: semi(t["trial"], extend(proj(where(t["session"], "big > 0")), proj(t["subject"], "x"))),
    # what keys tell: joins
    lambda t: join(t["trial"], proj(t["session"])),
    lambda t: join(proj(t["subject"]), t["trial"]),
    lambda t: join(t["session"], proj(t["subject"], mate="subject")),
    lambda t: join(t["trial"], proj(where(t["session"], "big > 0"))),
    lambda t: join(t["rig"], proj(t["session"])),
    lambda t: extend(t["trial"], proj(t["session"])),
    lambda t: extend(t["session"], proj(t["subject"], mate="subject")),
    lambda t: aggr(proj(t["session"]), join(t["trial"], proj(t["session"], "big")), n="count(rt)"),
    # what keys tell: distinct rows, first rows
    lambda t: distinct(t["trial"], ["subject", "session", "trial", "outcome"]),
    lambda t: distinct(where(t["trial"], "session = 1 AND trial = 1"), ["subject"]),
    lambda t: distinct(distinct(t["trial"], ["outcome"]), ["outcome"]),
    lambda t: distinct(group(t["trial"], ["outcome"], {"n": "count(*)"}), ["outcome", "n"]),
    lambda t: top(extend(t["trial"], proj(t["session"], "big")), "rt", 2, 1),
    lambda t: top(join(t["trial"], proj(t["session"], "big")), "rt DESC", 3),
    lambda t: top(join(proj(t["subject"], "x"), t["session"]), "big", 3),
    lambda t: top(
        extend(extend(t["session"], proj(t["subject"], "x")), proj(t["subject"], "sex")), None, None, 1
    ),
    # groups
    lambda t: aggr(t["session"], t["trial"], n="count(*)", m="max(rt)"),
    lambda t: aggr(where(t["session"], "session > 1"), t["trial"], n="count(rt)"),
    lambda t: aggr(where(t["session"], "session > 1 AND big > 0"), t["trial"], n="count(rt)"),
    lambda t: aggr(
        semi(t["session"], t["rig"], semantic_check=False), t["trial"], exclude=True, n="count(*)"
    ),
    lambda t: aggr(t["setting"], t["trial"], n="count(*)"),
    lambda t: top(aggr(t["session"], t["trial"], n="count(*)"), "session DESC", 2),
    lambda t: top(aggr(t["session"], t["trial"], n="count(*)"), "n DESC", 2),
)


@cache
def rules() -> tuple[Rule, ...]:
    found: dict[Rule, None] = {}
    for stage in STAGES:
        book = stage.values() if isinstance(stage, Mapping) else [(stage,)]
        found.update(dict.fromkeys(rule for several in book for rule in several))
    return tuple(found)


def everywhere(rule: Rule, node: Node, fuel: list[None] | None = None) -> Node:
    """The plan with one rule applied to all its nodes, innermost first, until it fires no more."""
    fuel = [None] * _STEPS if fuel is None else fuel
    operands = tuple(everywhere(rule, operand, fuel) for operand in inputs(node))
    if any(a is not b for a, b in zip(operands, inputs(node), strict=True)):
        node = with_inputs(node, operands)
    after = rule(node)
    if after is node:
        return node
    fuel.pop()
    assert after.heading == node.heading
    return everywhere(rule, after, fuel)


def stages_without(rule: Rule, plan: Node) -> Iterator[Node]:
    """The plan as written, and as each stage leaves it without the rule: what the rule meets."""
    yield plan
    for stage in STAGES:
        if isinstance(stage, Mapping):
            plan = _settled({kind: [r for r in book if r is not rule] for kind, book in stage.items()}, plan)
        elif stage is not rule:
            plan = stage(plan)
        yield plan


def _settled(book: Mapping[type[Any], list[Rule]], node: Node) -> Node:
    node = with_inputs(node, tuple(_settled(book, operand) for operand in inputs(node)))
    for rule in book.get(type(node), ()):
        after = rule(node)
        if after is not node:
            return _settled(book, after)
    return node


def changes_by(rule: Rule, plan: Node) -> list[tuple[Node, Node]]:
    """What a rule makes of a plan, as written and as it is before each stage, where it fires."""
    found: list[tuple[Node, Node]] = []
    for before in stages_without(rule, plan):
        after = everywhere(rule, before)
        if after is not before and not any(before == seen for seen, _ in found):
            found.append((before, after))
    return found


def _has_local_part(node: Node) -> bool:
    return isinstance(node, LocalRestrict | LocalCompute | LocalAggregate) or any(
        map(_has_local_part, inputs(node))
    )


@cache
def known_changes(rule: Rule, tables: tuple[Any, ...]) -> tuple[tuple[Node, Node], ...]:
    scans: dict[str, Node] = {table.name.table: Scan(table) for table in tables}
    return tuple(change for shape in SHAPES for change in changes_by(rule, shape(scans)))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.__name__)
@settings(
    max_examples=DATABASES,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_a_rule_keeps_the_rows(world: Any, rule: Rule, data: st.DataObject) -> None:
    known = known_changes(rule, tuple(world.tables))
    assert known, f"No plan makes {rule.__name__} fire."
    some = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=8), label="known plans")
    drawn = changes_by(rule, data.draw(plans(world.tables), label="plan"))
    stored = data.draw(databases(world.tables), label="rows")
    world.fill(stored)
    for before, after in (*some, *drawn):
        note(f"{show_plan(before)}\n\nbecame\n\n{show_plan(after)}")
        if _has_local_part(before):
            assert evaluate(after, stored) == evaluate(before, stored)
            continue
        rows = _rows(world, before)
        if rows is not None:
            assert _comparable(_rows(world, after), before) == _comparable(rows, before)


def _comparable(rows: list[tuple[str, ...]] | None, plan: Node) -> Any:
    return rows if rows is None or is_ordered(plan) else Counter(rows)


def _rows(world: Any, plan: Node) -> list[tuple[str, ...]] | None:
    """The rows in a form that compares; None where the server refuses to compute a value."""
    try:
        rows = world.run(Compiled(plan, plan, (), lower_rows(plan), is_small=True))
    except (DjflowError, psycopg.Error):
        return None
    return [tuple(map(_shown, row.values())) for row in rows]


def _shown(value: Any) -> str:
    """Equal text for equal values; sums of doubles may differ in their last digits."""
    match value:
        case float():
            return f"{value + 0.0:.9g}"
        case Decimal():
            return f"{value.normalize() + 0:f}"
        case _:
            return repr(value)


def test_each_shape_makes_some_rule_fire(world: Any) -> None:
    scans: dict[str, Node] = {table.name.table: Scan(table) for table in world.tables}
    idle = [
        n for n, shape in enumerate(SHAPES) if not any(changes_by(rule, shape(scans)) for rule in rules())
    ]
    assert not idle
