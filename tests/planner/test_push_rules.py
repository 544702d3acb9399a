"""Golden plans: where restrictions, orders and limits go, and what is computed once."""

from collections.abc import Sequence

import polars as pl
import pytest
from inline_snapshot import snapshot

from djflow.planner import analyze
from djflow.planner.common import common_subplans
from djflow.planner.explain import show_plan
from djflow.planner.lower_sql import lower_count, lower_rows
from djflow.planner.nodes import (
    Aggregate,
    Distinct,
    Empty,
    Group,
    LocalCompute,
    LocalExpression,
    LocalRestrict,
    Node,
    Order,
    Restrict,
    Scan,
    SemiJoin,
    Top,
    Union,
)
from djflow.planner.questions import counted, whether_any
from djflow.planner.rewriter import Rule, optimise
from djflow.planner.rules.drop_identity_projection import drop_identity_projection
from djflow.planner.rules.drop_needless_top import drop_needless_top
from djflow.planner.rules.drop_unused_order import drop_unused_order
from djflow.planner.rules.merge_tops import merge_tops
from djflow.planner.rules.push_restriction_below_aggregate import push_restriction_below_aggregate
from djflow.planner.rules.push_restriction_below_distinct import push_restriction_below_distinct
from djflow.planner.rules.push_restriction_below_group import push_restriction_below_group
from djflow.planner.rules.push_restriction_below_local import push_restriction_below_local
from djflow.planner.rules.push_restriction_below_project import push_restriction_below_project
from djflow.planner.rules.push_restriction_below_union import push_restriction_below_union
from djflow.planner.rules.push_top_below_project import push_top_below_project
from djflow.planner.rules.union_with_empty import union_with_empty
from djflow.planner.scalar import INT64, Column, Compare, Constant, Matches, Or
from djflow.planner.text import parse_condition

Lab = dict[str, Scan]
RULES: Sequence[Rule] = (
    drop_identity_projection,
    drop_needless_top,
    drop_unused_order,
    merge_tops,
    push_restriction_below_aggregate,
    push_restriction_below_distinct,
    push_restriction_below_group,
    push_restriction_below_local,
    push_restriction_below_project,
    push_restriction_below_union,
    push_top_below_project,
    union_with_empty,
)


def where(node: Node, text: str) -> Node:
    return Restrict(node, parse_condition(text, node.heading))


def opaque(*, elementwise: bool = True) -> LocalExpression:
    return LocalExpression(pl.col("rt").sqrt() > 1, frozenset({"rt"}), is_elementwise=elementwise)


def applied(rule: Rule, plan: Node) -> str:
    after = rule(plan)
    assert after.heading == plan.heading
    return show_plan(after)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_does_not_apply_returns_the_same_node(rule: Rule, lab: Lab) -> None:
    plan = where(lab["trial"], "rt > 1")
    assert rule(plan) is plan
    assert rule(lab["trial"]) is lab["trial"]


def test_parts_about_the_source_are_decided_before_summarising(lab: Lab) -> None:
    plan = where(
        analyze.aggregate(lab["session"], lab["trial"], (..., "-trace"), {"n": "count(rt)"}),
        "duration > 60 AND n > 3",
    )
    assert applied(push_restriction_below_aggregate, plan) == snapshot("""\
Restrict: n > 3
  Aggregate by subject, session: n = count(rt)
    Restrict: duration > 60.0
      Project: subject, session, duration, day, notes, meta
        Scan: lab.session
    Scan: lab.trial""")


def test_parts_about_keys_leave_out_groups(lab: Lab) -> None:
    plan = where(analyze.group(lab["trial"], ["subject"], {"n": "count(rt)"}), "subject = 3 AND n > 3")
    assert applied(push_restriction_below_group, plan) == snapshot("""\
Restrict: n > 3
  Group by subject: n = count(rt)
    Restrict: subject = 3
      Scan: lab.trial""")


def test_the_group_of_all_rows_is_there_also_without_rows(lab: Lab) -> None:
    plan = Restrict(analyze.group(lab["trial"], [], {"n": "count(rt)"}), Or(()))
    assert push_restriction_below_group(plan) is plan


def test_distinct_compares_only_what_is_left(lab: Lab) -> None:
    plan = where(analyze.distinct(lab["trial"], ["rt"]), "rt > 1")
    assert applied(push_restriction_below_distinct, plan) == snapshot("""\
Distinct
  Restrict: rt > 1
    Project: rt
      Scan: lab.trial""")


def both(lab: Lab) -> Node:
    return analyze.union(
        analyze.project(lab["session"], ("duration",), {}), analyze.project(lab["session"], ("notes",), {})
    )


def test_both_sides_of_a_union_are_restricted_by_key(lab: Lab) -> None:
    plan = where(both(lab), "subject = 3 AND duration > 60")
    assert applied(push_restriction_below_union, plan) == snapshot("""\
Restrict: duration > 60.0
  Union: subject, session
    Restrict: subject = 3
      Project: subject, session, duration
        Scan: lab.session
    Restrict: subject = 3
      Project: subject, session, notes
        Scan: lab.session""")


@pytest.mark.parametrize("left", [True, False])
def test_a_union_with_nothing_is_the_other_side_with_nulls(left: bool, lab: Lab) -> None:  # noqa: FBT001
    union = both(lab)
    assert isinstance(union, Union)
    plan = (
        Union(Empty(union.left.heading), union.right)
        if left
        else Union(union.left, Empty(union.right.heading))
    )
    expected = "duration = NULL, notes" if left else "duration, notes = NULL"
    assert applied(union_with_empty, plan).startswith(f"Project: subject, session, {expected}\n")


def test_the_server_filters_before_polars(lab: Lab) -> None:
    made = ((analyze.project(lab["trial"], (), {"c": "rt > 1"}).heading["c"], opaque()),)
    computed = where(LocalCompute(lab["trial"], made), "rt > 1 AND c = true")
    assert applied(push_restriction_below_local, computed) == snapshot("""\
Restrict: c = TRUE
  Compute in Polars: c = [(col("rt").sqrt()) > (dyn int: 1)]
    Restrict: rt > 1
      Scan: lab.trial\
""")
    kept = where(LocalRestrict(lab["trial"], opaque()), "rt > 1")
    assert applied(push_restriction_below_local, kept) == snapshot("""\
Restrict in Polars: [(col("rt").sqrt()) > (dyn int: 1)]
  Restrict: rt > 1
    Scan: lab.trial""")


def test_an_expression_that_sees_other_rows_sees_all_of_them(lab: Lab) -> None:
    plan = where(LocalRestrict(lab["trial"], opaque(elementwise=False)), "rt > 1")
    assert push_restriction_below_local(plan) is plan


def test_a_condition_with_a_relation_moves_only_where_names_keep_their_meaning(lab: Lab) -> None:
    renamed = analyze.project(lab["session"], (), {"s": "session", "hours": "duration / 60"})
    question = Or((Matches(lab["subject"], ("subject",)), parse_condition("hours > 2", renamed.heading)))
    assert applied(push_restriction_below_project, Restrict(renamed, question)) == snapshot("""\
Project: subject, s = session, hours = duration / 60
  Restrict: MATCHES(subject) OR (duration / 60) > 2
    Scan: lab.session
    matching
      Scan: lab.subject\
""")
    other = Restrict(renamed, Matches(renamed, ("s",)))
    assert push_restriction_below_project(other) is other


BY_RT = (Order("rt", descending=True), Order("trial"))


@pytest.mark.parametrize(
    ("inner", "outer", "merged"),
    [
        ((10, 0), (3, 0), (3, 0)),
        ((3, 0), (10, 0), (3, 0)),
        ((10, 5), (8, 4), (6, 9)),
        ((2, 0), (5, 4), (0, 4)),
        ((None, 2), (5, 1), (5, 3)),
        ((5, 0), (None, 1), (4, 1)),
        ((None, 1), (None, 1), (None, 2)),
    ],
)
@pytest.mark.parametrize("order", [(), BY_RT])
def test_the_first_of_the_first_are_the_first(
    inner: tuple[int | None, int],
    outer: tuple[int | None, int],
    merged: tuple[int | None, int],
    order: tuple[Order, ...],
    lab: Lab,
) -> None:
    plan = Top(Top(lab["trial"], BY_RT, *inner), order, *outer)
    assert merge_tops(plan) == Top(lab["trial"], BY_RT, *merged)


def test_tops_of_different_orders_stay(lab: Lab) -> None:
    plan = Top(Top(lab["trial"], BY_RT, 10), (Order("trial"),), 3)
    assert merge_tops(plan) is plan
    assert drop_unused_order(plan) is plan


def test_only_the_last_order_counts(lab: Lab) -> None:
    plan = Top(Top(lab["trial"], BY_RT), (Order("trial"),), 3)
    assert drop_unused_order(plan) == Top(lab["trial"], (Order("trial"),), 3)


def test_rows_are_chosen_before_computing(lab: Lab) -> None:
    plan = analyze.top(analyze.project(lab["trial"], (), {"r": "rt", "x": "sqrt(rt)"}), "r DESC", 3)
    assert applied(push_top_below_project, plan) == snapshot("""\
Project: subject, session, trial, r = rt, x = sqrt(rt)
  Top: by rt DESC, subject, session, trial limit 3
    Scan: lab.trial""")


def test_an_order_by_what_is_computed_stays_above(lab: Lab) -> None:
    plan = analyze.top(analyze.project(lab["trial"], (), {"x": "sqrt(rt)"}), "x", 3)
    assert push_top_below_project(plan) is plan


def test_no_order_is_made_for_what_ignores_it(lab: Lab) -> None:
    ordered = Top(lab["trial"], BY_RT)
    named = analyze.project(ordered, ("rt",), {})
    plans: tuple[Node, ...] = (
        Restrict(ordered, parse_condition("rt > 1", ordered.heading)),
        SemiJoin(lab["session"], ordered, ("session",)),
        SemiJoin(ordered, lab["session"], ("session",)),
        analyze.join(named, lab["session"]),
        Distinct(named),
        Group(named, ("rt",), ()),
        Aggregate(lab["session"], ordered, ("session",), ()),
    )
    assert all("Top" in show_plan(plan) for plan in plans)
    assert not any("Top" in applied(drop_unused_order, plan) for plan in plans)


def test_a_limit_decides_which_rows_there_are(lab: Lab) -> None:
    plan = Distinct(Top(lab["trial"], BY_RT, 3))
    assert drop_unused_order(plan) is plan
    skipping = Distinct(Top(lab["trial"], BY_RT, None, 3))
    assert drop_unused_order(skipping) is skipping


def test_a_top_without_purpose_goes(lab: Lab) -> None:
    assert drop_needless_top(Top(lab["trial"], ())) is lab["trial"]
    assert drop_needless_top(Top(lab["trial"], BY_RT, 0, 2)) == Empty(lab["trial"].heading)
    kept = Top(lab["trial"], (), 3)
    assert drop_needless_top(kept) is kept


def test_a_projection_without_effect_goes(lab: Lab) -> None:
    same = analyze.project(lab["trial"], (...,), {})
    assert drop_identity_projection(same) is lab["trial"]
    fewer = analyze.project(lab["trial"], (), {})
    assert drop_identity_projection(fewer) is fewer


def answered(lab: Lab) -> Node:
    keys = analyze.project(lab["trial"], (), {})
    trials = analyze.aggregate(keys, lab["trial"], (), {"n": "count(rt)", "r": "max(rt)"})
    joined = analyze.join(trials, lab["session"], keep_left=True)
    return analyze.top(analyze.project(joined, (...,), {"x": "sqrt(r)"}), "x DESC")


def test_counting_computes_nothing_but_the_rows(lab: Lab) -> None:
    assert show_plan(optimise(counted(answered(lab))).plan) == snapshot("""\
Project: nothing
  Scan: lab.trial\
""")
    assert lower_count(optimise(counted(answered(lab))).plan).sql == snapshot(
        'SELECT count(*) AS "n" FROM "lab"."trial" AS t1'
    )


def test_counting_the_first_rows_does_not_order_them(lab: Lab) -> None:
    plan = analyze.top(answered(lab), None, 10, 2)
    assert show_plan(optimise(counted(plan)).plan) == snapshot("""\
Project: nothing
  Top: by the order below limit 10 offset 2
    Scan: lab.trial\
""")


def test_counting_groups_makes_no_summaries(lab: Lab) -> None:
    plan = analyze.group(lab["trial"], ["rt"], {"n": "count(rt)"})
    assert show_plan(counted(plan)) == snapshot("""\
Project: nothing
  Distinct
    Project: rt
      Scan: lab.trial\
""")


def test_whether_there_are_rows_needs_no_distinct_and_no_groups(lab: Lab) -> None:
    plan = analyze.distinct(analyze.group(answered(lab), ["r"], {"n": "count(x)"}), ["n"])
    assert show_plan(optimise(whether_any(plan)).plan) == snapshot("""\
Project: nothing
  Scan: lab.trial\
""")


def test_whether_there_are_rows_after_the_first_counts_these(lab: Lab) -> None:
    plan = analyze.top(analyze.distinct(lab["trial"], ["rt"]), None, None, 2)
    assert show_plan(whether_any(plan)) == snapshot("""\
Project: nothing
  Top: by the order below offset 2
    Distinct
      Project: rt
        Scan: lab.trial\
""")


def test_a_summary_of_all_rows_is_always_there(lab: Lab) -> None:
    plan = analyze.group(where(lab["trial"], "rt > 1"), [], {"n": "count(rt)"})
    assert show_plan(whether_any(plan)) == snapshot("""\
Project: nothing
  Group by nothing: n = count(rt)
    Restrict: rt > 1
      Scan: lab.trial\
""")
    assert show_plan(counted(plan)) == snapshot("""\
Project: nothing
  Group by nothing: n = count(rt)
    Restrict: rt > 1
      Scan: lab.trial\
""")


def counts(lab: Lab) -> Node:
    return analyze.group(where(lab["trial"], "rt > 5"), ["subject"], {"n": "count(rt)"})


def test_what_is_used_twice_is_computed_once(lab: Lab) -> None:
    long = where(analyze.project(lab["session"], (), {}), "session < 7")
    plan = analyze.join(analyze.join(long, counts(lab)), analyze.project(counts(lab), (), {"m": "n"}))
    statement = lower_rows(plan)
    assert statement.pretty == snapshot("""\
WITH w1 AS MATERIALIZED (
  SELECT t3."k1" AS "subject", t3."s1" AS "n"
  FROM (
    SELECT t2."subject" AS "k1", count(t2."rt")::bigint AS "s1"
    FROM "lab"."trial" AS t2
    WHERE t2."rt" > $1::bigint
    GROUP BY t2."subject"
  ) AS t3
)
SELECT
  t1."subject" AS "subject", t1."session" AS "session", t4."n" AS "n", t5."n" AS "m"
FROM "lab"."session" AS t1
  JOIN w1 AS t4 ON t1."subject" = t4."subject"
  JOIN w1 AS t5 ON t1."subject" = t5."subject"
WHERE t1."session" < $2::bigint\
""")
    assert [parameter.value for parameter in statement.parameters] == [5, 7]


def test_plain_restrictions_are_repeated(lab: Lab) -> None:
    some = where(lab["trial"], "rt > 5")
    assert common_subplans(SemiJoin(some, some, ("trial",))) == ()


def test_the_outermost_common_part_is_the_one_computed_once(lab: Lab) -> None:
    outer = Distinct(counts(lab))
    assert common_subplans(SemiJoin(outer, outer, ("subject",))) == (outer,)


def test_a_part_within_a_common_part_comes_before_it(lab: Lab) -> None:
    inner = counts(lab)
    outer = analyze.project(Distinct(inner), (), {"m": "n"})
    plan = SemiJoin(SemiJoin(SemiJoin(inner, inner, ("subject",)), outer, ("subject",)), outer, ("subject",))
    assert lower_rows(plan).pretty == snapshot("""\
WITH w1 AS MATERIALIZED (
  SELECT t2."k1" AS "subject", t2."s1" AS "n"
  FROM (
    SELECT t1."subject" AS "k1", count(t1."rt")::bigint AS "s1"
    FROM "lab"."trial" AS t1
    WHERE t1."rt" > $1::bigint
    GROUP BY t1."subject"
  ) AS t2
),
w2 AS MATERIALIZED (
  SELECT t6."subject" AS "subject", t6."n" AS "n"
  FROM (SELECT DISTINCT t5."subject" AS "subject", t5."n" AS "n" FROM w1 AS t5) AS t6
)
SELECT t3."subject" AS "subject", t3."n" AS "n"
FROM w1 AS t3
WHERE EXISTS (SELECT 1 AS "n" FROM w1 AS t4 WHERE t4."subject" = t3."subject")
  AND EXISTS (SELECT 1 AS "n" FROM w2 AS t7 WHERE t7."subject" = t3."subject")
  AND EXISTS (SELECT 1 AS "n" FROM w2 AS t8 WHERE t8."subject" = t3."subject")\
""")


def test_constants_tell_parts_apart(lab: Lab) -> None:
    three, four = (
        Restrict(counts(lab), Compare("=", Column("n", INT64), Constant(n, INT64))) for n in (3, 4)
    )
    pairs = [Top(part, (Order("subject"),), 1) for part in (three, four)]
    assert len(common_subplans(SemiJoin(pairs[0], pairs[1], ("subject",)))) == 1
    assert isinstance(common_subplans(SemiJoin(pairs[0], pairs[1], ("subject",)))[0], Group)
