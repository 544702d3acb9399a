"""Golden plans: what each rule makes of a query, and that headings stay."""

import pytest
from inline_snapshot import snapshot

from djflow.errors import PlannerBugError
from djflow.planner import analyze, rewriter
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Node, Project, Scan
from djflow.planner.rewriter import optimise
from djflow.planner.text import parse_condition

Lab = dict[str, Scan]


def where(node: Node, text: str) -> Node:
    return analyze.restrict(node, parse_condition(text, node.heading))


def test_restrictions_merge_and_move_below_joins(lab: Lab) -> None:
    plan = where(where(analyze.join(lab["session"], lab["trial"]), "duration > 60"), "rt < 1 AND subject = 3")
    result = optimise(plan)
    assert show_plan(result.plan) == snapshot("""\
Join: subject, session
  Restrict: duration > 60.0 AND subject = 3
    Scan: lab.session
  Restrict: rt < 1 AND subject = 3
    Scan: lab.trial""")
    assert set(result.fired) >= {"merge_restrictions", "push_restriction_below_join"}


def test_a_restriction_on_a_computed_attribute_filters_before_computing(lab: Lab) -> None:
    plan = where(analyze.project(lab["session"], (), {"hours": "duration / 60"}), "hours > 2")
    assert show_plan(optimise(plan).plan) == snapshot("""\
Project: subject, session, hours = duration / 60
  Restrict: (duration / 60) > 2
    Scan: lab.session""")


def test_columns_that_nobody_reads_are_not_read(lab: Lab) -> None:
    plan = analyze.project(analyze.join(lab["session"], lab["trial"]), ("day", "rt"), {})
    assert show_plan(optimise(plan).plan) == snapshot("""\
LeftJoin: subject, session
  Scan: lab.trial
  Project: subject, session, day
    Scan: lab.session\
""")


def test_a_restriction_by_a_relation_reads_only_its_keys(lab: Lab) -> None:
    plan = analyze.semi_join(lab["subject"], where(lab["session"], "duration > 1"))
    assert show_plan(optimise(plan).plan) == snapshot("""\
SemiJoin: subject
  Scan: lab.subject
  Project: subject
    Restrict: duration > 1.0
      Scan: lab.session""")


def test_projections_merge(lab: Lab) -> None:
    inner = analyze.project(lab["session"], (), {"hours": "duration / 60"})
    outer = analyze.project(inner, (), {"days": "hours / 24"})
    assert show_plan(optimise(outer).plan) == snapshot("""\
Project: subject, session, days = (duration / 60) / 24
  Scan: lab.session""")


def test_what_cannot_have_rows_is_not_asked_for(lab: Lab) -> None:
    plan = analyze.join(lab["subject"], where(lab["session"], "false"))
    assert show_plan(optimise(plan).plan) == snapshot("Empty")


def test_excluding_nothing_excludes_nothing(lab: Lab) -> None:
    plan = analyze.semi_join(lab["subject"], where(lab["session"], "false"), negated=True)
    assert show_plan(optimise(plan).plan) == snapshot("Scan: lab.subject")


def test_a_rule_that_changes_the_heading_is_caught(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_columns(node: Node) -> Node:
        return Project(node, ()) if isinstance(node, Scan) else node

    monkeypatch.setattr(rewriter, "STAGES", ({Scan: (lose_columns,)},))
    with pytest.raises(PlannerBugError, match="lose_columns"):
        optimise(lab["session"])


def test_optimising_twice_changes_nothing(lab: Lab) -> None:
    plan = where(analyze.project(analyze.join(lab["session"], lab["trial"]), ("rt",), {}), "rt > 1")
    once = optimise(plan).plan
    assert optimise(once).plan == once


def test_rules_that_undo_each_other_are_caught(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def again(node: Node) -> Node:
        return Project(node.source, node.columns) if isinstance(node, Project) else node

    monkeypatch.setattr(rewriter, "STAGES", ({Project: (again,)},))
    with pytest.raises(PlannerBugError, match="again"):
        optimise(analyze.project(lab["session"], (), {}))


def test_a_long_chain_of_restrictions_is_one(lab: Lab) -> None:
    plan: Node = lab["session"]
    for number in range(200):
        plan = where(plan, f"duration > {number}")
    assert isinstance(optimise(plan).plan.source, Scan)  # type: ignore[union-attr]
