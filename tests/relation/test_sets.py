"""Union, the universal set, and the first rows in an order."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from inline_snapshot import snapshot

import djflow as dj
from djflow.errors import InvalidArgumentError, QueryError, SemanticMatchError, UnknownAttributeError

Top: Any = dj.Top  # which the tests below give what its types forbid


def test_a_union_has_a_row_for_every_key_with_the_attributes_of_both(lab: Any) -> None:
    heavy = (lab.Subject & "weight > 1").proj("weight")
    named = (lab.Subject & "subject > 1").proj("name")
    assert (heavy + named).to_polars().rows() == snapshot(
        [(1, Decimal("1.500"), None), (2, None, "ben"), (3, None, 'it\'s \\ "odd" é')]
    )
    assert (heavy + named).primary_key == ["subject"]
    assert (heavy + named).heading.names == ("subject", "weight", "name")


def test_a_key_on_both_sides_is_one_row(lab: Any) -> None:
    both = (lab.Subject & "subject < 3").proj() + (lab.Subject & "subject > 1").proj()
    assert both.keys() == [{"subject": 1}, {"subject": 2}, {"subject": 3}]
    assert len(both) == 3


def test_a_restriction_of_a_union_is_the_union_of_restrictions(lab: Any) -> None:
    both = lab.Subject.proj("name") + lab.Subject.proj("born")
    assert len(both & "subject = 2") == 1
    assert (both & "subject = 2").fetch1("name") == "ben"


def test_unions_of_different_keys_or_with_common_attributes_are_refused(lab: Any) -> None:
    with pytest.raises(QueryError, match="same primary key"):
        lab.Subject + lab.Session
    with pytest.raises(QueryError, match="outside the key on both sides"):
        lab.Subject + lab.Subject
    with pytest.raises(SemanticMatchError):
        lab.Subject.proj() + (dj.U("subject") & lab.Session.proj(cage="subject", subject="session"))
    with pytest.raises(QueryError, match="Expected a table"):
        lab.Subject + {"subject": 1}


def test_a_universal_set_enumerates_the_values_that_occur(lab: Any) -> None:
    sexes = dj.U("sex") & lab.Subject
    assert sexes.primary_key == ["sex"]
    assert sexes.to_dicts() == [{"sex": "F"}, {"sex": "M"}, {"sex": "U"}]
    assert len(dj.U("sex", "alive") & lab.Subject) == 3
    assert len(dj.U("weight") & lab.Subject) == 2  # null is one of the values
    assert len(dj.U() & lab.Subject) == 1
    assert len(dj.U() & (lab.Subject & "subject > 100")) == 0


def test_a_universal_set_groups_by_any_attribute(lab: Any) -> None:
    found = dj.U("session").aggr(lab.Session, n="count(*)", longest="max(duration)")
    assert found.to_dicts() == [
        {"session": 0, "n": 3, "longest": 0.0},
        {"session": 1, "n": 3, "longest": 50.0},
        {"session": 2, "n": 3, "longest": 100.0},
    ]
    assert (found & "longest > 60").keys() == [{"session": 2}]
    assert dj.U("mate").aggr(lab.Session, n="count(*)").to_dicts() == [
        {"mate": 2, "n": 3},
        {"mate": None, "n": 6},
    ]


def test_a_universal_set_without_attributes_summarises_all_rows_in_one(lab: Any) -> None:
    assert dj.U().aggr(lab.Session, n="count(*)").fetch1("n") == 9
    nothing = dj.U().aggr(lab.Session & "session > 99", n="count(*)", longest="max(duration)")
    assert nothing.to_dicts() == [{"n": 0, "longest": None}]


def test_results_of_a_universal_set_are_relations_like_others(lab: Any) -> None:
    counted = dj.U("subject").aggr(lab.Session.Trial, n="count(*)")
    assert (lab.Subject.proj("name") * counted).to_dicts() == [{"subject": 1, "name": "ann", "n": 4}]
    assert len(lab.Subject - counted.proj()) == 2


def test_what_a_universal_set_cannot_do_is_said(lab: Any) -> None:
    with pytest.raises(UnknownAttributeError, match="sexx"):
        dj.U("sexx") & lab.Subject
    with pytest.raises(UnknownAttributeError):
        dj.U("sexx").aggr(lab.Subject, n="count(*)")
    for refused in (
        lambda: dj.U("sex") - lab.Subject,
        lambda: dj.U("sex") * lab.Subject,
        lambda: lab.Subject * dj.U("sex"),
        lambda: dj.U("sex").aggr(lab.Subject, exclude_nonmatching=False, n="count(*)"),
        lambda: dj.U("sex") & {"sex": "M"},
        lambda: dj.U(lab.Subject),
    ):
        with pytest.raises(QueryError):
            refused()


def test_a_second_top_without_an_order_goes_on_in_that_of_the_first(lab: Any) -> None:
    longest = lab.Session & dj.Top(4, "duration DESC")
    two = longest & dj.Top(2, order_by=None)
    assert [(row["subject"], row["session"]) for row in two.to_dicts()] == [(1, 2), (2, 2)]
    after = longest & dj.Top(3, order_by=None, offset=2)
    assert [(row["subject"], row["session"]) for row in after.to_dicts()] == [(3, 2), (1, 1)]
    assert longest.to_arrays("subject", limit=3).tolist() == [1, 2, 3]
    assert "merge_tops" in str(two.explain())


def test_a_second_top_in_another_order_takes_from_the_first(lab: Any) -> None:
    three = (lab.Session & dj.Top(3, "duration DESC")) & dj.Top(2, "subject DESC")
    assert [row["subject"] for row in three.to_dicts()] == [3, 2]


@pytest.mark.parametrize(
    ("top", "error"),
    [
        (lambda: Top("3"), InvalidArgumentError),
        (lambda: Top(limit=True), InvalidArgumentError),
        (lambda: Top(1, 5), InvalidArgumentError),
        (lambda: Top(1, ["subject", 5]), InvalidArgumentError),
        (lambda: Top(1, offset=None), InvalidArgumentError),
        (lambda: dj.Top(-1), QueryError),
        (lambda: dj.Top(1, "subjct"), UnknownAttributeError),
        (lambda: dj.Top(1, "subject; DROP TABLE x"), QueryError),
    ],
)
def test_a_top_of_the_wrong_kind_is_refused(lab: Any, top: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        lab.Session & top()
    with pytest.raises(QueryError):
        lab.Session - dj.Top(1)


def test_polars_expressions_restrict_compute_and_summarise(lab: Any) -> None:
    long = lab.Session & (pl.col("duration") > 60)
    assert len(long) == 3
    hours = lab.Session.proj(half=pl.col("duration") / 2)
    assert (hours & {"subject": 1, "session": 1}).fetch1("half") == 25.0
    found = lab.Subject.aggr(lab.Session, m=pl.col("duration").mean(), n=pl.len())
    assert found.to_dicts()[0] == {"subject": 1, "m": 50.0, "n": 3}


def test_what_has_no_translation_runs_in_polars(lab: Any) -> None:
    above = lab.Session & (pl.col("duration") > pl.col("duration").mean())
    assert above.keys() == [{"subject": s, "session": 2} for s in (1, 2, 3)]
    assert len(above) == 3
    assert bool(above)
    assert (above * lab.Subject).to_polars().height == 3
    assert len(lab.Subject & above) == 3
    loud = lab.Subject.proj(loud=pl.col("name").str.to_uppercase()) & "loud = 'ANN'"
    assert loud.fetch1() == {"subject": 1, "loud": "ANN"}
    median = lab.Subject.aggr(lab.Session.Trial, middle=pl.col("rt").median())
    assert median.to_dicts() == [
        {"subject": 1, "middle": 1.0},
        {"subject": 2, "middle": None},
        {"subject": 3, "middle": None},
    ]


def test_the_longest_run_of_operators_with_a_polars_stage_inside_agrees_with_polars(lab: Any) -> None:
    ranked = lab.Session.proj(place=pl.col("duration").rank("dense"))
    best = (ranked & "place = 3") * lab.Subject.proj("name")
    assert [row["name"] for row in best.to_dicts()] == ["ann", "ben", 'it\'s \\ "odd" é']
    assert len(best & dj.Top(2)) == 2
