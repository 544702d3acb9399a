"""Operators and functions give on the server what their definitions say, for awkward values too."""

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

import djflow as dj
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.relation.conditions import Not, restricted
from djflow.testing.databases import Rowsets

BASE = {"sex": "M", "born": dt.date(2024, 1, 1), "f": 0.5}
ROWS: dict[str, list[dict[str, Any]]] = {
    "species": [{"species": "a", "label": "ab"}, {"species": "b"}],
    "subject": [
        {
            **BASE,
            "subject": 1,
            "species": "a",
            "x": float("nan"),
            "alive": True,
            "weight": Decimal("1.500"),
            "meta": {"k": 1, "s": "x"},
        },
        {
            **BASE,
            "subject": 2,
            "x": float("inf"),
            "alive": False,
            "seen": dt.datetime(2024, 1, 1, 5, 6, 59, 999999),
            "uid": "12345678-1234-5678-1234-567812345678",
        },
        {
            **BASE,
            "subject": 3,
            "sex": "it's",
            "f": 0.0,
            "x": 0.5,
            "weight": Decimal("99999.999"),
            "raw": b"a",
            "meta": [1, 2],
        },
    ],
    "session": [
        {"subject": 1, "session": 1, "notes": "a", "big": 2**53 + 1},
        {"subject": 1, "session": -32768, "notes": "longertext", "mate": 2},
    ],
    "trial": [
        {"subject": 1, "session": 1, "trial": 1, "rt": 1.5, "outcome": "F"},
        {"subject": 1, "session": 1, "trial": 2},
    ],
    "setting": [{"factor": Decimal("2.50")}],
}
LAST = dt.datetime(2024, 1, 1, 5, 6, 59, 999999)
CONDITIONS: list[Any] = [
    *({"f": value} for value in (0.5, 1e300, 1e-300, [1e300, 0.5])),
    *({"x": value} for value in (float("nan"), [float("nan"), 0.5], None)),
    *(
        {"born": value}
        for value in (LAST, dt.datetime(2024, 1, 1), [LAST, dt.date(2024, 1, 1)], "2024-01-01")
    ),
    *({"seen": value} for value in ("2024-01-01", LAST)),
    *({"subject": value} for value in (2**70, 2.0, Decimal("2.5"), [1, 2.5, 2**70], [])),
    *({"sex": value} for value in ("X", ["it's", "X"])),
    *({"alive": value} for value in (1, "true", None)),
    *({"meta": value} for value in ([1, 2], {"k": 1, "s": "x"})),
    *({"meta.k": value} for value in (1, "1", 1.0, True)),
    {"meta.0": 1},
    *({"weight": value} for value in (1.5, "1.5", [1.5, Decimal(2)])),
    *([{"subject": 1}, {"subject": value}] for value in (2, 2.0, 2.5)),
    [{"born": "2024-01-01"}],
    [{"sex": "it's", "f": 0.5}],
    [{"weight": Decimal("1.5004")}],
    [{"alive": True}],
    "x > 1",
    "born = '2024-01-01 05:00:00'",
    "born < '2024-01-01 05:00:00'",
    "seen > born",
    "sex = species",
    "subject = weight",
    "NOT species = NULL",
    "species IN ('a', NULL)",
    "species NOT IN ('a', NULL)",
    "sex LIKE 'i%'",
    "NOT alive",
    "alive = alive",
    "(subject > 1) = alive",
    "subject / 2 = 0.5",
    "subject % 2 = 1",
    "-subject < -1",
    "subject BETWEEN 3 AND 1",
    "meta->>'k' = '1'",
    "subject = '1'",
    "1 = 1",
    "subject || 'x' = '1x'",
    "round(weight) = 100000",
    "born - born = 0",
    "year(born) = 2024 AND sex <> 'M' OR alive IS TRUE",
    "alive IS NOT TRUE",
]
OF_SESSIONS = """
abs(session); -session; session * session; CASE WHEN big IS NULL THEN 'short' ELSE notes END
if(big IS NULL, notes, 'b'); coalesce(notes, 'a text longer than the column'); coalesce(big, 0.5)
if(session > 0, 1, 2.5); if(session > 0, NULL, 2.5); greatest(session, big, 2.5); coalesce(NULL, session)
nullif(session, 1); nullif(session, 1.5); floor(big); ceil(big); sign(big); round(big); round(big, -1)
big + 1; big / 2; big % 2; notes || mate; concat(notes, mate); power(2, session % 3); CAST(big AS TEXT)
1; 'x'; TRUE; NULL; big = 1; (notes); left(notes, -1); right(notes, -2); left(notes, 0); right(notes, 0)
substring(notes, 0, 2); substring(notes, -1); substring(notes, 3); replace(notes, '', 'x'); trim(notes)
mod(session, 3); mod(session, 2.5); div(session, 3); session % 2.5; greatest(notes, 'b'); least(big, session)
"""
OF_SUBJECTS = """
abs(weight); round(weight); ceil(weight); weight * 2; weight * weight; weight / 2; weight + f; weight % 2
f % 2; coalesce(weight, f); coalesce(weight, 1); coalesce(alive, FALSE); coalesce(born, '2020-01-01')
coalesce(seen, born); coalesce(sex, 'Z'); CASE WHEN alive THEN sex ELSE 'zzz' END; year(seen); date(seen)
CASE WHEN alive THEN weight ELSE f END; second(seen); upper(sex); f * 3; -f; -weight; abs(f); round(f, 1)
round(x); sqrt(abs(x)); ln(subject); exp(subject); log10(subject); atan2(subject, 2); floor(x)
if(alive, 1, 0); x > 1; born = '2024-01-01'; born + 30; born - 1; meta->>'s'; octet_length(raw); length(sex)
"""
SUMMARIES = """
sum(alive); avg(alive); min(alive); max(alive); std(alive); bool_and(alive); group_concat(alive); sum(f)
sum(x); avg(x); max(x); min(x); std(f); std(x); sum(weight); avg(weight); max(sex); group_concat(sex)
group_concat(weight); group_concat(born); count(*); count(x); count(distinct sex); count(distinct x)
sum(subject > 1); avg(subject = 1); max(born); min(seen); max(uid); count(subject) > 1; max(x) IS NULL
variance(subject); if(count(subject) > 2, 'many', 'few'); sum(subject) / count(subject); max(name)
max(weight) - min(weight); group_concat(x > 1); max(coalesce(species, 'none'))
"""


def listed(text: str) -> list[str]:
    return [piece.strip() for line in text.strip().splitlines() for piece in line.split(";")]


@pytest.fixture
def stored(world: Any) -> Rowsets:
    found = {
        table.name: [dict.fromkeys(table.heading.names) | row for row in ROWS.get(table.name.table, [])]
        for table in world.tables
    }
    world.fill(found)
    return found


@pytest.fixture
def scans(world: Any) -> dict[str, Node]:
    return {table.name.table: Scan(table) for table in world.tables}


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
def test_conditions_select_what_they_say(
    world: Any, stored: Rowsets, scans: dict[str, Node], condition: Any
) -> None:
    world.check(restricted(scans["subject"], condition), stored)
    world.check(restricted(scans["subject"], Not(condition)), stored)


@pytest.mark.parametrize("text", listed(OF_SESSIONS))
def test_expressions_of_integers_and_text_compute_what_they_say(
    world: Any, stored: Rowsets, scans: dict[str, Node], text: str
) -> None:
    computed = analyze.project(scans["session"], (...,), {"e": text})
    world.check(computed, stored)
    world.check(restricted(computed, "e IS NOT NULL"), stored)
    world.check(analyze.top(computed, "e DESC", 1), stored)


@pytest.mark.parametrize("text", listed(OF_SUBJECTS))
def test_expressions_of_decimals_floats_and_times_compute_what_they_say(
    world: Any, stored: Rowsets, scans: dict[str, Node], text: str
) -> None:
    world.check(analyze.project(scans["subject"], (...,), {"e": text}), stored)


@pytest.mark.parametrize("text", listed(SUMMARIES))
@pytest.mark.parametrize("only_matching", [True, False])
def test_summaries_compute_what_they_say(
    world: Any,
    stored: Rowsets,
    scans: dict[str, Node],
    text: str,
    only_matching: bool,  # noqa: FBT001
) -> None:
    labels = analyze.project(scans["species"], (), {"name": "label"})
    rows = analyze.join(scans["subject"], labels, keep_left=True)
    by_species = analyze.aggregate(scans["species"], rows, (), {"e": text}, exclude_nonmatching=only_matching)
    world.check(by_species, stored)
    whole = analyze.aggregate(scans["setting"], rows, (...,), {"e": text}, exclude_nonmatching=only_matching)
    world.check(whole, stored)
    world.check(restricted(whole, "e IS NULL"), stored)


def test_operators_combine(world: Any, stored: Rowsets, scans: dict[str, Node]) -> None:
    subject, session, setting = scans["subject"], scans["session"], scans["setting"]
    counted = analyze.aggregate(subject, session, (), {"n": "count(session)"})
    best = analyze.top(counted, "n DESC", 2)
    for plan in (
        restricted(counted, "n > 0"),
        analyze.join(session, counted),
        analyze.join(session, counted, keep_left=True),
        analyze.join(session, analyze.join(counted, setting), keep_left=True),
        analyze.semi_join(session, restricted(counted, "n > 1")),
        analyze.project(best, (), {"m": "n + 1"}),
        analyze.aggregate(subject, counted, (), {"k": "max(n) + 1"}),
        analyze.aggregate(counted, session, (), {"s": "sum(n)", "n": "group_concat(notes)"}),
        restricted(session, "session IN (1, NULL) OR session = 2"),
        analyze.top(best, "subject", 1),
        restricted(best, "subject = 1"),
        restricted(analyze.project(subject, (), {"c": "x > 1"}), "(c = TRUE) = FALSE"),
        analyze.join(restricted(session, "FALSE"), subject),
        analyze.join(subject, restricted(setting, "FALSE"), keep_left=True),
        analyze.aggregate(setting, restricted(subject, "FALSE"), (...,), {}, exclude_nonmatching=True),
    ):
        world.check(plan, stored)


def test_types_that_do_not_compare_are_not_matched(scans: dict[str, Node]) -> None:
    texts = analyze.project(scans["session"], (), {"c": "notes"})
    numbers = analyze.project(scans["subject"], (), {"c": "subject + 1"})
    with pytest.raises(dj.errors.QueryError, match="do not compare"):
        analyze.semi_join(texts, numbers, semantic_check=False)


@pytest.mark.parametrize("text", ["CASE WHEN alive THEN subject ELSE sex END", "coalesce(weight, born)"])
def test_values_of_different_kinds_are_not_mixed(scans: dict[str, Node], text: str) -> None:
    with pytest.raises(dj.errors.QuerySyntaxError, match="different kinds"):
        analyze.project(scans["subject"], (), {"e": text})
