"""A condition parts the rows of a relation: those it keeps, those it does not, and those it knows nothing of.

The parts come from the server alone, so this needs no other notion of what a condition means.
`DJFLOW_TEST_EXAMPLES` scales how many relations are parted.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, assume, given, note, settings
from hypothesis import strategies as st

from djflow.errors import DataTypeError, QueryError
from djflow.model.table import Heading, Table
from djflow.planner import analyze
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Node, Scan
from djflow.planner.scalar import is_integer
from djflow.relation.conditions import Not, restricted
from djflow.testing import polars_strategies
from djflow.testing.databases import databases
from djflow.testing.expressions import conditions
from djflow.testing.naive import evaluate
from djflow.testing.naive_values import UndefinedValueError
from djflow.testing.plans import plans
from djflow.testing.restrictions import dicts, frames

EXAMPLES: Final = max(20, int(os.environ.get("DJFLOW_TEST_EXAMPLES", "1500")) // 50)
SETTINGS: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=list(HealthCheck),
)
DEPTH: Final = 3
RELATIONS: Final = 4  # of each database


@dataclass(frozen=True)
class Parted:
    """A relation, and what may part it."""

    plan: Node
    condition: Any

    def __str__(self) -> str:
        return f"{show_plan(self.plan)}\nparted by {self.condition!r}"

    def _repr_pretty_(self, printer: Any, _cycle: object) -> None:
        printer.text(str(self))


@st.composite
def parted(draw: st.DrawFn, tables: Sequence[Table], of: Any) -> list[Parted]:
    several = [draw(plans(tables, DEPTH)) for _ in range(RELATIONS)]
    return [Parted(plan, draw(of(plan.heading))) for plan in several]


def filled(world: Any, data: st.DataObject) -> dict[Any, Any]:
    stored = data.draw(databases(world.tables), label="rows")
    world.fill(stored)
    return stored


def bag(rows: list[dict[str, Any]]) -> Counter[str]:
    return Counter(map(repr, rows))


def undefined(*several: Node, stored: Any) -> bool:
    """Whether SQL refuses a value of one of the plans."""
    try:
        for plan in several:
            evaluate(plan, stored)
    except UndefinedValueError:
        return True
    return False


def test_a_string_its_negation_and_its_being_null_part_the_rows(world: Any) -> None:
    @SETTINGS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        stored = filled(world, data)
        for case in data.draw(parted(tuple(world.tables), conditions), label="cases"):
            texts = (case.condition, f"NOT ({case.condition})", f"({case.condition}) IS NULL")
            parts = [restricted(case.plan, text) for text in texts]
            if undefined(case.plan, *parts, stored=stored):
                continue
            note(str(case))
            whole = bag(world.rows(case.plan))
            assert sum((bag(world.rows(part)) for part in parts), Counter()) == whole

    check()


def any_condition(heading: Heading) -> st.SearchStrategy[Any]:
    single = dicts(heading) | conditions(heading) | frames(heading) | polars_strategies.conditions(heading)
    several = st.lists(dicts(heading) | conditions(heading), min_size=1, max_size=3)
    return single | single | several


def test_what_a_condition_keeps_and_what_it_excludes_part_the_rows(world: Any) -> None:
    @SETTINGS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        stored = filled(world, data)
        for case in data.draw(parted(tuple(world.tables), any_condition), label="cases"):
            try:
                kept, excluded = (restricted(case.plan, c) for c in (case.condition, Not(case.condition)))
            except (QueryError, DataTypeError):
                continue  # a value that the attribute cannot hold, say
            if undefined(case.plan, kept, excluded, stored=stored):
                continue
            note(str(case))
            whole = bag(world.rows(case.plan))
            assert bag(world.rows(kept)) + bag(world.rows(excluded)) == whole

    check()


def test_summaries_of_the_parts_combine_to_those_of_the_whole(world: Any) -> None:
    @SETTINGS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        stored = filled(world, data)
        for case in data.draw(parted(tuple(world.tables), conditions), label="cases"):
            numbers = [a.name for a in case.plan.heading if is_integer(a.stored)]
            if not numbers:
                continue
            name = data.draw(st.sampled_from(numbers), label="attribute")
            made = {"zn": "count(*)", "zs": f"sum({name})", "zl": f"min({name})", "zh": f"max({name})"}
            parts = [
                restricted(case.plan, case.condition),
                restricted(case.plan, Not(case.condition)),
            ]
            summarised = [analyze.group(plan, (), made) for plan in (case.plan, *parts)]
            if undefined(*summarised, stored=stored):
                continue
            note(str(case))
            (whole,), *found = (world.rows(plan) for plan in summarised)
            assert whole == combined([row for (row,) in found])

    check()


def combined(rows: list[dict[str, Any]]) -> dict[str, Any]:
    def present(name: str) -> list[Any]:
        return [row[name] for row in rows if row[name] is not None]

    return {
        "zn": sum(present("zn")),
        "zs": sum(present("zs")) if present("zs") else None,
        "zl": min(present("zl"), default=None),
        "zh": max(present("zh"), default=None),
    }


@pytest.mark.parametrize("combine", ["join", "extend", "union"])
def test_parts_go_through_joins_and_unions(world: Any, combine: str) -> None:
    """A combination of the parts is the combination of the whole, parted."""
    scans = {table.name.table: Scan(table) for table in world.tables}
    left, right = {
        "join": (scans["session"], scans["subject"]),
        "extend": (scans["trial"], scans["session"]),
        "union": (
            analyze.project(scans["session"], ("notes",), {}),
            analyze.aggregate(scans["session"], scans["trial"], (), {"n": "count(trial)"}),
        ),
    }[combine]

    def combination(part: Node) -> Node:
        if combine == "union":
            return analyze.union(part, analyze.semi_join(right, part))
        return analyze.join(part, right, keep_left=combine == "extend")

    @SETTINGS
    @given(st.data())
    def check(data: st.DataObject) -> None:
        stored = filled(world, data)
        text = data.draw(conditions(left.heading), label="condition")
        parts = [combination(restricted(left, each)) for each in (text, Not(text))]
        assume(not undefined(*parts, stored=stored))
        whole = bag(world.rows(combination(left)))
        assert bag(world.rows(parts[0])) + bag(world.rows(parts[1])) == whole
        assert bag(world.rows(restricted(combination(left), text))) == bag(world.rows(parts[0]))

    check()
