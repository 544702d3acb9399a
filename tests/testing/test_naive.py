"""The evaluator that others are measured by is itself measured, against answers worked out by hand."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings

from djflow.definition import bind, parse
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CoreType
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.nodes import Node, Order, Scan, SemiJoin, Top
from djflow.planner.text import parse_condition, parse_expression
from djflow.testing.databases import Rowsets, databases
from djflow.testing.naive import evaluate
from djflow.testing.naive_scalar import value_of
from djflow.testing.naive_values import UndefinedValueError, compare_values
from djflow.testing.plans import plans

NAN = float("nan")


def tables() -> tuple[Table, Table]:
    subject = bind(
        parse("subject : int32\n---\nname = null : varchar(8)\nx = null : float64"),
        TableName("lab", "subject"),
        resolve=dict[str, Table]().__getitem__,
        codec_dtype=lambda _: CoreType("bytes"),
    )
    session = bind(
        parse("-> Subject\nsession : int16\n---\n-> [nullable] Subject.proj(mate='subject')"),
        TableName("lab", "session"),
        resolve={"Subject": subject}.__getitem__,
        codec_dtype=lambda _: CoreType("bytes"),
    )
    return subject, session


SUBJECT, SESSION = tables()
STORED: Rowsets = {
    SUBJECT.name: [
        {"subject": 1, "name": "a", "x": 1.5},
        {"subject": 2, "name": None, "x": NAN},
        {"subject": 3, "name": "b", "x": None},
    ],
    SESSION.name: [
        {"subject": 1, "session": 1, "mate": 2},
        {"subject": 1, "session": 2, "mate": None},
    ],
}


def subjects(plan: Node) -> list[int]:
    return [row["subject"] for row in evaluate(plan, STORED)]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("name = 'a'", [1]),
        ("NOT name = 'a'", [3]),
        ("name = 'a' OR name IS NULL", [1, 2]),
        ("name = 'a' OR x > 1", [1, 2]),
        ("name NOT IN ('a', NULL)", []),
        ("(name = 'a') IS NOT TRUE", [2, 3]),
        ("x >= 1.5", [1, 2]),
        ("name LIKE '_'", [1, 3]),
        ("x IS NULL AND name = 'b'", [3]),
    ],
)
def test_unknown_is_neither_true_nor_false(condition: str, wanted: list[int]) -> None:
    scan = Scan(SUBJECT)
    assert subjects(analyze.restrict(scan, parse_condition(condition, scan.heading))) == wanted


def test_nulls_match_nothing_and_come_last() -> None:
    scan, sessions = Scan(SUBJECT), Scan(SESSION)
    mates = analyze.project(sessions, (), {"subject": "mate", "other": "subject"})
    assert subjects(SemiJoin(scan, mates, ("subject",))) == [2]
    assert subjects(SemiJoin(scan, mates, ("subject",), negated=True)) == [1, 3]
    assert subjects(Top(scan, (Order("x"),))) == [1, 2, 3]
    assert subjects(Top(scan, (Order("x", descending=True),), 2, 1)) == [1, 3]


def test_left_joins_and_summaries_keep_rows_without_a_match() -> None:
    scan, sessions = Scan(SUBJECT), Scan(SESSION)
    counted = analyze.aggregate(scan, sessions, (), {"n": "count(session)", "m": "max(session)"})
    assert [(row["n"], row["m"]) for row in evaluate(counted, STORED)] == [(2, 2), (0, None), (0, None)]
    joined = analyze.join(
        sessions, analyze.project(scan, (), {"mate": "subject", "own": "name"}), keep_left=True
    )
    assert [row["mate"] for row in evaluate(joined, STORED)] == [2, None]
    assert len(evaluate(analyze.join(scan, sessions), STORED)) == 2


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7 / 2", 3.5),
        ("(0 - 7) % 3", -1),
        ("round(2.5)", 3.0),
        ("coalesce(name, 'none')", "none"),
        ("name || 'x'", None),
        ("concat(name, 'x')", "x"),
        ("substring('abc', 0, 2)", "a"),
        ("greatest(1, NULL, 3)", 3),
        ("CASE WHEN name = 'a' THEN 1 ELSE 2.5 END", 2.5),
    ],
)
def test_expressions_have_their_textbook_values(text: str, wanted: Any) -> None:
    row = {"subject": 1, "name": None, "x": None}
    assert value_of(parse_expression(text, SUBJECT.heading), row, lambda _: []) == wanted


def test_what_sql_refuses_has_no_value() -> None:
    division = s.Arithmetic("/", s.Constant(1, s.INT64), s.Constant(0, s.INT64), s.FLOAT64)
    with pytest.raises(UndefinedValueError):
        value_of(division, {}, lambda _: [])


def test_values_have_a_total_order() -> None:
    assert compare_values(NAN, NAN) == 0
    assert compare_values(NAN, float("inf")) > 0
    assert compare_values(-0.0, 0.0) == 0
    assert compare_values(Decimal("1.50"), 1.5) == 0
    assert compare_values("Z", "a") < 0


@settings(max_examples=50, deadline=None)
@given(databases((SUBJECT, SESSION)))
def test_generated_rows_have_unique_keys_and_parents(stored: Rowsets) -> None:
    known = [row["subject"] for row in stored[SUBJECT.name]]
    assert len(set(known)) == len(known)
    keys = [(row["subject"], row["session"]) for row in stored[SESSION.name]]
    assert len(set(keys)) == len(keys)
    for row in stored[SESSION.name]:
        assert row["subject"] in known
        assert row["mate"] is None or row["mate"] in known


@settings(max_examples=50, deadline=None)
@given(databases((SUBJECT, SESSION)), plans((SUBJECT, SESSION)))
def test_generated_plans_can_be_evaluated(stored: Rowsets, plan: Node) -> None:
    try:
        rows = evaluate(plan, stored)
    except UndefinedValueError:
        return
    assert all(tuple(row) == plan.heading.names for row in rows)
