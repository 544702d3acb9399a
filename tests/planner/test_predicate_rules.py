"""Conditions in their normal form: what each becomes, and what must not be simplified."""

import pytest
from inline_snapshot import snapshot

from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Join, Node, Restrict, Scan
from djflow.planner.normal import as_filter, never_null, rejects_nulls
from djflow.planner.rewriter import optimise
from djflow.planner.rules.drop_true_restriction import drop_true_restriction
from djflow.planner.rules.inner_join_for_null_rejection import inner_join_for_null_rejection
from djflow.planner.rules.merge_restrictions import merge_restrictions
from djflow.planner.rules.normalise_predicates import normalise_predicates
from djflow.planner.rules.restrict_by_matches import restrict_by_matches
from djflow.planner.text import parse_condition

Lab = dict[str, Scan]


def normal(node: Node, text: str) -> str:
    return s.show(as_filter(parse_condition(text, node.heading), node.heading))


def excluded(node: Node, text: str) -> str:
    condition = s.Not(s.IsTrue(parse_condition(text, node.heading)))
    return s.show(as_filter(condition, node.heading))


def test_nested_conjunctions_are_flat_and_say_nothing_twice(lab: Lab) -> None:
    text = "session > 1 AND (duration < 2 AND (session > 1 AND true))"
    assert normal(lab["session"], text) == snapshot("session > 1 AND duration < 2.0")


def test_a_negation_moves_into_comparisons(lab: Lab) -> None:
    text = "NOT (session > 1 OR duration < 2 OR NOT notes = 'a')"
    assert normal(lab["session"], text) == snapshot("session <= 1 AND duration >= 2.0 AND notes = 'a'")


def test_a_negated_conjunction_of_comparisons_is_a_disjunction(lab: Lab) -> None:
    assert normal(lab["session"], "NOT (session > 1 AND duration < 2)") == snapshot(
        "session <= 1 OR duration >= 2.0"
    )
    assert normal(lab["session"], "NOT (session > 1 AND notes LIKE 'a%')") == snapshot(
        "NOT (session > 1 AND notes LIKE 'a%')"
    )


def test_excluding_rows_keeps_those_for_which_the_condition_is_unknown(lab: Lab) -> None:
    assert excluded(lab["trial"], "rt > 1") == snapshot("NOT rt > 1 IS TRUE")
    assert excluded(lab["trial"], "rt > 1 OR trial = 3") == snapshot("NOT rt > 1 IS TRUE AND trial <> 3")


def test_excluding_by_what_is_always_known_is_the_opposite(lab: Lab) -> None:
    assert excluded(lab["trial"], "trial > 1") == snapshot("trial <= 1")
    assert excluded(lab["trial"], "rt IS NULL") == snapshot("rt IS NOT NULL")
    assert excluded(lab["trial"], "rt = NULL") == snapshot("TRUE")


def test_equalities_of_one_attribute_are_a_list(lab: Lab) -> None:
    text = "trial = 3 OR rt > 2 OR trial IN (5, 3) OR trial = 4"
    assert normal(lab["trial"], text) == snapshot("trial IN (3, 5, 4) OR rt > 2")


def test_constants_of_two_types_are_two_lists(lab: Lab) -> None:
    assert normal(lab["trial"], "rt = 3 OR rt = 2.5 OR rt = 4") == snapshot("rt IN (3, 4) OR rt = 2.5")


def test_a_list_of_one_is_an_equality_and_of_none_is_false(lab: Lab) -> None:
    assert normal(lab["trial"], "trial IN (3)") == snapshot("trial = 3")
    empty = s.InList(s.Column("trial", s.INT64), (), s.INT64)
    assert as_filter(empty, lab["trial"].heading) == s.FALSE


def test_what_is_never_null_is_not_asked_for_null(lab: Lab) -> None:
    assert normal(lab["trial"], "trial IS NULL") == snapshot("FALSE")
    assert normal(lab["trial"], "trial IS NOT NULL") == snapshot("TRUE")
    assert normal(lab["trial"], "rt IS NOT NULL") == snapshot("rt IS NOT NULL")


@pytest.mark.parametrize(
    "text",
    [
        "trial = 1 AND rt > 2 AND trial = 2",
        "rt > 1 AND NOT rt > 1",
        "rt < 1 AND rt >= 1",
        "rt IS NULL AND rt IS NOT NULL",
        "rt = NULL",
        "NOT rt = NULL",
        "trial > 1 AND (false OR rt = NULL)",
    ],
)
def test_what_contradicts_itself_is_never_true(lab: Lab, text: str) -> None:
    assert normal(lab["trial"], text) == "FALSE"


def test_floats_that_differ_may_be_equal_in_the_server(lab: Lab) -> None:
    text = "duration = 0.1 AND duration = 0.10000000001"
    assert normal(lab["session"], text) == snapshot("duration = 0.1 AND duration = 0.10000000001")


def test_of_a_condition_and_its_opposite_one_holds_unless_both_are_unknown(lab: Lab) -> None:
    assert normal(lab["trial"], "trial > 1 OR trial <= 1") == snapshot("TRUE")
    assert normal(lab["trial"], "rt > 1 OR rt <= 1") == snapshot("rt > 1 OR rt <= 1")


@pytest.mark.parametrize(
    "text", ["NOT (rt > 1 AND trial = 2)", "trial IN (1, 2) OR rt = 3", "NOT rt IN (1, 2)"]
)
def test_the_normal_form_of_a_normal_form_is_itself(lab: Lab, text: str) -> None:
    heading = lab["trial"].heading
    once = as_filter(parse_condition(text, heading), heading)
    assert as_filter(once, heading) == once


def test_a_normal_condition_is_left_alone(lab: Lab) -> None:
    for text in ("rt > 1", "rt > 1 AND trial = 2", "rt > 1 OR trial = 2"):
        plan = Restrict(lab["trial"], parse_condition(text, lab["trial"].heading))
        assert normalise_predicates(plan) is plan


def test_relations_in_conditions_become_semi_joins(lab: Lab) -> None:
    on = ("subject", "session")
    trials, sessions = s.Matches(lab["trial"], on), s.Matches(lab["session"], on)
    late = parse_condition("duration > 60", lab["session"].heading)
    plan = Restrict(lab["session"], s.And((trials, late, s.Not(s.IsTrue(sessions)))))
    assert show_plan(restrict_by_matches(plan)) == snapshot("""\
AntiJoin: subject, session
  SemiJoin: subject, session
    Restrict: duration > 60.0
      Scan: lab.session
    Scan: lab.trial
  Scan: lab.session""")


def test_a_relation_without_common_attributes_matches_if_it_has_rows(lab: Lab) -> None:
    plan = Restrict(lab["session"], s.Matches(lab["rig"], ()))
    assert show_plan(restrict_by_matches(plan)) == snapshot("""\
SemiJoin: any row
  Scan: lab.session
  Scan: lab.rig""")


def test_a_relation_in_a_disjunction_stays_a_condition(lab: Lab) -> None:
    late = parse_condition("duration > 60", lab["session"].heading)
    plan = Restrict(lab["session"], s.Or((s.Matches(lab["trial"], ("subject",)), late)))
    assert restrict_by_matches(plan) is plan


def left_join(lab: Lab, text: str) -> Node:
    plan = analyze.join(lab["trial"], lab["session"], keep_left=True)
    return Restrict(plan, parse_condition(text, plan.heading))


@pytest.mark.parametrize(
    "text",
    [
        "duration > 60",
        "NOT duration > 60",
        "duration + 1 > rt AND trial = 2",
        "duration > 60 OR notes = 'a'",
        "notes IS NOT NULL",
        "notes LIKE 'a%'",
        "duration IN (1, 2)",
    ],
)
def test_a_condition_that_turns_nulls_away_makes_a_left_join_inner(lab: Lab, text: str) -> None:
    plan = left_join(lab, text)
    after = inner_join_for_null_rejection(plan)
    assert isinstance(after, Restrict)
    assert isinstance(after.source, Join)
    assert after.source.kind == "inner"
    assert after.heading == plan.heading


@pytest.mark.parametrize(
    "text",
    [
        "rt > 1",
        "duration > 60 OR rt > 1",
        "notes IS NULL",
        "coalesce(duration, 1) > 0",
        "NOT (duration > 60 AND rt > 1)",
        "CASE WHEN duration > 60 THEN true ELSE true END",
    ],
)
def test_a_condition_that_may_be_true_of_nulls_leaves_a_left_join(lab: Lab, text: str) -> None:
    plan = left_join(lab, text)
    assert inner_join_for_null_rejection(plan) is plan


def test_rules_leave_other_nodes_alone(lab: Lab) -> None:
    rules = (
        normalise_predicates,
        restrict_by_matches,
        inner_join_for_null_rejection,
        merge_restrictions,
        drop_true_restriction,
    )
    assert all(rule(lab["trial"]) is lab["trial"] for rule in rules)


def test_a_list_with_a_null_may_be_unknown(lab: Lab) -> None:
    heading = lab["trial"].heading
    column = s.Column("trial", heading["trial"].stored)
    assert never_null(s.InList(column, (1, 2), s.INT64), heading)
    assert not never_null(s.InList(column, (1, None), s.INT64), heading)


def test_the_opposite_of_unknown_is_unknown_too() -> None:
    unknown = s.Compare("=", s.Column("x", s.INT64), s.Constant(1, s.INT64))
    assert rejects_nulls(s.Not(unknown), frozenset("x"))
    assert not rejects_nulls(s.Not(s.IsTrue(unknown)), frozenset("x"))


def test_a_relation_in_a_condition_is_optimised_for_what_is_asked_of_it(lab: Lab) -> None:
    trials = analyze.join(lab["trial"], lab["session"], keep_left=True)
    numbered = analyze.project(trials, ("notes",), {"x": "sqrt(rt)"})
    late = parse_condition("duration > 60", lab["session"].heading)
    plan = Restrict(lab["session"], s.Or((s.Matches(numbered, ("subject",)), late, s.Matches(numbered, ()))))
    after = optimise(plan).plan
    assert isinstance(after, Restrict)
    asked = [show_plan(part.other) for part in s.walk(after.condition) if isinstance(part, s.Matches)]
    assert asked == snapshot(
        [
            """\
Project: subject
  Scan: lab.trial\
""",
            """\
Project: nothing
  Scan: lab.trial\
""",
        ]
    )
    assert optimise(after).plan == after
