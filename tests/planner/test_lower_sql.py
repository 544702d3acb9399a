"""Golden SQL: one flat SELECT where clauses allow, values as parameters."""

import datetime as dt

import pyarrow as pa
from inline_snapshot import snapshot

from djflow.model.table import Heading
from djflow.planner import analyze
from djflow.planner.lower_sql import lower_count, lower_exists, lower_rows
from djflow.planner.nodes import LocalFrame, Node, Scan, SemiJoin
from djflow.planner.rewriter import optimise
from djflow.planner.text import parse_condition

Lab = dict[str, Scan]


def where(node: Node, text: str) -> Node:
    return analyze.restrict(node, parse_condition(text, node.heading))


def sql(plan: Node) -> str:
    return lower_rows(optimise(plan).plan).sql


def test_values_are_parameters_and_types_that_drivers_lack_are_carried_as_text(lab: Lab) -> None:
    statement = lower_rows(where(lab["subject"], "born = '2024-01-31' AND sex = 'M'"))
    assert statement.sql == snapshot(
        'SELECT t1."subject" AS "subject", t1."sex"::text AS "sex", t1."born" AS "born", '
        't1."weight"::text AS "weight" FROM "lab"."subject" AS t1 '
        'WHERE t1."born" = $1::date AND t1."sex"::text = $2::text'
    )
    assert [p.value for p in statement.parameters] == [dt.date(2024, 1, 31).isoformat(), "M"]


def test_joins_and_restrictions_stay_one_select(lab: Lab) -> None:
    plan = analyze.project(
        where(analyze.join(lab["session"], lab["trial"]), "duration > 60"), ("day", "rt"), {}
    )
    assert sql(plan) == snapshot(
        'SELECT t1."subject" AS "subject", t1."session" AS "session", t2."trial" AS "trial", t2."rt" AS "rt", t1."day" AS "day" FROM "lab"."session" AS t1 JOIN "lab"."trial" AS t2 ON t1."subject" = t2."subject" AND t1."session" = t2."session" WHERE t1."duration" > $1::real'
    )


def test_restrictions_by_relations_are_exists(lab: Lab) -> None:
    assert sql(
        analyze.semi_join(analyze.project(lab["subject"], (), {}), lab["session"], negated=True)
    ) == snapshot(
        'SELECT t1."subject" AS "subject" FROM "lab"."subject" AS t1 '
        'WHERE NOT EXISTS (SELECT 1 AS "n" FROM "lab"."session" AS t2 WHERE t2."subject" = t1."subject")'
    )


def test_keys_travel_as_arrays(lab: Lab) -> None:
    subject, session = (lab["session"].heading[name] for name in ("subject", "session"))
    one = LocalFrame(pa.table({"subject": [1, 2]}), Heading((subject,)))
    two = LocalFrame(pa.table({"subject": [1], "session": [2]}), Heading((subject, session)))
    keys = analyze.project(lab["session"], (), {})
    assert sql(SemiJoin(keys, one, ("subject",))) == snapshot(
        'SELECT t1."subject" AS "subject", t1."session" AS "session" FROM "lab"."session" AS t1 '
        'WHERE t1."subject" = ANY($1::bigint[])'
    )
    assert sql(SemiJoin(keys, two, ("subject", "session"), negated=True)) == snapshot(
        'SELECT t1."subject" AS "subject", t1."session" AS "session" FROM "lab"."session" AS t1 '
        'WHERE NOT EXISTS (SELECT 1 AS "n" FROM unnest($1::bigint[], $2::bigint[]) AS t2("subject", "session") '
        'WHERE t2."subject" = t1."subject" AND t2."session" = t1."session")'
    )


def test_summaries_are_computed_before_joining(lab: Lab) -> None:
    plan = analyze.aggregate(lab["session"], lab["trial"], (), {"n": "count(trial)", "m": "avg(rt)"})
    assert sql(plan) == snapshot(
        'SELECT t1."subject" AS "subject", t1."session" AS "session", coalesce(t4."s1", 0)::bigint AS "n", t4."s2" AS "m" FROM "lab"."session" AS t1 LEFT JOIN (SELECT t3."k1" AS "subject", t3."k2" AS "session", t3."s1" AS "s1", t3."s2" AS "s2" FROM (SELECT t2."subject" AS "k1", t2."session" AS "k2", count(t2."trial")::bigint AS "s1", avg(t2."rt"::double precision)::double precision AS "s2" FROM "lab"."trial" AS t2 GROUP BY t2."subject", t2."session") AS t3) AS t4 ON t1."subject" = t4."subject" AND t1."session" = t4."session"'
    )


def test_an_order_breaks_ties_by_key(lab: Lab) -> None:
    plan = analyze.top(analyze.project(lab["session"], ("notes",), {}), "notes DESC", 5, 10)
    assert sql(plan) == snapshot(
        'SELECT t1."subject" AS "subject", t1."session" AS "session", t1."notes" AS "notes" FROM "lab"."session" AS t1 ORDER BY t1."notes" COLLATE "C" DESC, t1."subject", t1."session" LIMIT 5 OFFSET 10'
    )


def test_counting_and_asking_read_no_columns(lab: Lab) -> None:
    assert lower_count(lab["session"]).sql == snapshot('SELECT count(*) AS "n" FROM "lab"."session" AS t1')
    assert lower_exists(lab["session"]).sql == snapshot(
        'SELECT EXISTS (SELECT 1 AS "n" FROM "lab"."session" AS t1) AS "found"'
    )


def test_the_same_plan_gives_the_same_text(lab: Lab) -> None:
    plan = where(analyze.join(lab["subject"], lab["trial"]), "rt > 1")
    assert sql(plan) == sql(plan)
