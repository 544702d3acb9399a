"""Laws of the algebra, over generated relations: both sides of an equation give the same rows."""

import os
from collections.abc import Callable
from typing import Any, Final

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

import djflow as dj
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.relation.relation import Relation
from djflow.testing.databases import databases
from djflow.testing.expressions import conditions
from djflow.testing.naive import evaluate
from djflow.testing.naive_values import UndefinedValueError
from djflow.testing.plans import plans

EXAMPLES: Final = max(15, int(os.environ.get("DJFLOW_TEST_EXAMPLES", "3000")) // 150)


class Lab:
    """Relations over a filled world, and what to draw about them."""

    def __init__(self, world: Any, data: st.DataObject) -> None:
        self.world, self.data = world, data
        self.stored = data.draw(databases(world.tables), label="rows")
        world.fill(self.stored)

    def any_relation(self, depth: int = 2) -> Relation:
        return self.checked(self.data.draw(plans(self.world.tables, depth)))

    def table(self, name: str) -> Relation:
        (found,) = (table for table in self.world.tables if table.name.table == name)
        relation: Relation = self.world.relation(Scan(found))
        return relation

    def condition(self, relation: Relation) -> str:
        text = self.data.draw(conditions(relation.heading), label="condition")
        self.checked((relation & text).logical_plan)
        return text

    def checked(self, plan: Node) -> Relation:
        """A relation whose values SQL can compute."""
        try:
            evaluate(plan, self.stored)
        except UndefinedValueError:
            assume(condition=False)
        relation: Relation = self.world.relation(plan)
        return relation


Law = Callable[[Lab], tuple[Relation, Relation]]


def conditions_in_turn_are_a_conjunction(lab: Lab) -> tuple[Relation, Relation]:
    relation = lab.any_relation()
    p, q = lab.condition(relation), lab.condition(relation)
    return (relation & p) & q, relation & dj.AndList([p, q])


def a_list_is_a_union_of_the_parts(lab: Lab) -> tuple[Relation, Relation]:
    relation = lab.any_relation()
    p, q = lab.condition(relation), lab.condition(relation)
    return relation & [p, q], relation - dj.AndList([dj.Not(p), dj.Not(q)])


def what_matches_and_what_does_not_are_all(lab: Lab) -> tuple[Relation, Relation]:
    sessions, trials = lab.table("session"), lab.table("trial")
    kept, excluded = (sessions & trials).proj(), (sessions - trials).proj()
    return kept + excluded, sessions.proj()


def restricting_asks_for_keys_alone(lab: Lab) -> tuple[Relation, Relation]:
    sessions, subjects = lab.table("session"), lab.table("subject")
    subjects &= lab.condition(subjects)
    return sessions & subjects, sessions & subjects.proj()


def joins_commute(lab: Lab) -> tuple[Relation, Relation]:
    trials, sessions = lab.table("trial"), lab.table("session")
    trials, sessions = trials & lab.condition(trials), sessions & lab.condition(sessions)
    return trials * sessions, sessions * trials


def joins_associate(lab: Lab) -> tuple[Relation, Relation]:
    trials, sessions = lab.table("trial"), lab.table("session")
    subjects = lab.table("subject") & lab.condition(lab.table("subject"))
    return (trials * sessions) * subjects, trials * (sessions * subjects)


def restrictions_go_through_joins(lab: Lab) -> tuple[Relation, Relation]:
    sessions, subjects = lab.table("session"), lab.table("subject")
    p = lab.condition(sessions)
    return (sessions * subjects) & p, (sessions & p) * subjects


def projecting_to_the_key_twice_is_once(lab: Lab) -> tuple[Relation, Relation]:
    relation = lab.any_relation()
    return relation.proj().proj(), relation.proj()


def renaming_there_and_back_is_nothing(lab: Lab) -> tuple[Relation, Relation]:
    sessions = lab.table("session")
    return sessions.proj(..., other="notes").proj(..., notes="other"), sessions


def unions_are_idempotent(lab: Lab) -> tuple[Relation, Relation]:
    relation = lab.any_relation()
    if any(attribute.lineage is None for attribute in relation.proj().heading):
        relation = lab.table("session")  # what dj.U regroups by may have no origin to match by
    return relation.proj() + relation.proj(), relation.proj()


def a_union_with_its_own_keys_is_nothing_new(lab: Lab) -> tuple[Relation, Relation]:
    sessions = lab.table("session")
    return sessions + (sessions & lab.condition(sessions)).proj(), sessions


def unions_associate(lab: Lab) -> tuple[Relation, Relation]:
    sessions = lab.table("session")
    a, b, c = ((sessions & lab.condition(sessions)).proj() for _ in range(3))
    return (a + b) + c, a + (b + c)


def a_union_is_any_of_the_conditions(lab: Lab) -> tuple[Relation, Relation]:
    sessions = lab.table("session")
    p, q = lab.condition(sessions), lab.condition(sessions)
    return (sessions & p).proj() + (sessions & q).proj(), (sessions & [p, q]).proj()


def the_first_of_the_first_are_the_first(lab: Lab) -> tuple[Relation, Relation]:
    relation = lab.any_relation()
    assume(relation.primary_key)
    a, b = lab.data.draw(st.integers(0, 4)), lab.data.draw(st.integers(0, 4))
    return relation & dj.Top(a) & dj.Top(b, order_by=None), relation & dj.Top(min(a, b))


def a_group_of_each_value_counts_as_the_summary_does(lab: Lab) -> tuple[Relation, Relation]:
    sessions, trials = lab.table("session"), lab.table("trial")
    grouped = dj.U("subject", "session").aggr(trials, n="count(trial)", m="max(rt)")
    return grouped, sessions.aggr(trials, exclude_nonmatching=True, n="count(trial)", m="max(rt)").proj(
        "n", "m"
    )


LAWS: Final[tuple[Law, ...]] = (
    conditions_in_turn_are_a_conjunction,
    a_list_is_a_union_of_the_parts,
    what_matches_and_what_does_not_are_all,
    restricting_asks_for_keys_alone,
    joins_commute,
    joins_associate,
    restrictions_go_through_joins,
    projecting_to_the_key_twice_is_once,
    renaming_there_and_back_is_nothing,
    unions_are_idempotent,
    a_union_with_its_own_keys_is_nothing_new,
    unions_associate,
    a_union_is_any_of_the_conditions,
    the_first_of_the_first_are_the_first,
    a_group_of_each_value_counts_as_the_summary_does,
)


def bag(relation: Relation) -> list[str]:
    """The rows, whatever the order of rows and attributes."""
    return sorted(repr(sorted(row.items())) for row in relation.to_dicts())


def over_filled_worlds(world: Any, check: Callable[[Lab], None]) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[phase for phase in Phase if phase is not Phase.explain],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def checked(data: st.DataObject) -> None:
        check(Lab(world, data))

    checked()


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_both_sides_of_a_law_give_the_same_rows(world: Any, law: Law) -> None:
    def check(lab: Lab) -> None:
        left, right = law(lab)
        assert bag(left) == bag(right)

    over_filled_worlds(world, check)


def test_a_universal_set_picks_the_different_values(world: Any) -> None:
    def check(lab: Lab) -> None:
        subjects = lab.table("subject")
        frame = subjects.proj("species", "sex", "alive").to_polars()
        for names in (["species"], ["sex", "alive"], ["species", "alive"]):
            found = (dj.U(*names) & subjects).to_polars()
            assert found.sort(names, nulls_last=True).equals(
                frame.select(names).unique().sort(names, nulls_last=True)
            )

    over_filled_worlds(world, check)


def test_summaries_of_a_universal_set_are_those_of_polars(world: Any) -> None:
    def check(lab: Lab) -> None:
        subjects = lab.table("subject")
        found = dj.U("species", "alive").aggr(subjects, n="count(*)", first="min(subject)", last="max(born)")
        grouped = (
            subjects.proj("species", "alive", "born")
            .to_polars()
            .group_by("species", "alive")
            .agg(
                n=pl.len().cast(pl.Int64),
                first=pl.col("subject").min(),
                last=pl.col("born").max(),
            )
        )
        key = ["species", "alive"]
        assert found.to_polars().rows() == sorted_rows(found.to_polars(), key)
        assert sorted_rows(found.to_polars(), key) == sorted_rows(grouped, key)

    over_filled_worlds(world, check)


def sorted_rows(frame: pl.DataFrame, key: list[str]) -> list[tuple[Any, ...]]:
    return frame.sort(key, nulls_last=True).rows()


def test_questions_agree_with_the_rows(world: Any) -> None:
    def check(lab: Lab) -> None:
        relation = lab.any_relation(3)
        rows = relation.to_dicts()
        assert len(relation) == len(rows)
        assert bool(relation) is bool(rows)
        assert [row for row in rows if {k: row[k] for k in relation.primary_key} not in relation] == []
        p = lab.condition(relation)
        assert (p in relation) is bool((relation & p).to_dicts())

    over_filled_worlds(world, check)


def test_a_plan_pages_through_its_rows(world: Any) -> None:
    def check(lab: Lab) -> None:
        relation = lab.any_relation()
        assume(relation.primary_key)
        pages = [
            analyze.top(relation.logical_plan, "KEY DESC", 2, start) for start in range(0, len(relation), 2)
        ]
        rows = [row for page in pages for row in world.relation(page).to_dicts()]
        assert repr(rows) == repr(relation.to_dicts(order_by="KEY DESC"))

    over_filled_worlds(world, check)
