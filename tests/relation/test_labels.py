"""Conditions on enum columns are told to the server in the column's own type."""

from types import SimpleNamespace
from typing import Any

import pytest

import djflow as dj
from djflow.engine.compile import compile_plan
from djflow.tables.schema import Schema


@pytest.fixture
def labels(schema: Schema) -> Any:
    @schema
    class Animal(dj.Manual):
        definition = """
        animal : int32
        ---
        kind : enum('cat', 'it''s', '$1', 'back\\slash', '"q"')
        mood = null : enum('good', 'bad')
        """

    kinds = ("cat", "it's", "$1", "back\\slash", '"q"')
    Animal().insert([(n, kind, "good" if n % 2 else None) for n, kind in enumerate(kinds)])
    return SimpleNamespace(Animal=Animal, kinds=kinds)


def sql_of(query: Any) -> str:
    return compile_plan(query.logical_plan).statement.sql


def test_every_label_matches_itself_however_awkward(labels: Any) -> None:
    for number, kind in enumerate(labels.kinds):
        found = labels.Animal & {"kind": kind} & f"animal >= {number}"
        assert [row["animal"] for row in found.to_dicts()] == [number]
        assert len(labels.Animal - {"kind": kind}) == 4
    assert len(labels.Animal & {"kind": ["cat", "$1"]}) == 2


def test_a_label_stands_in_the_text_and_another_text_does_not(labels: Any) -> None:
    known = sql_of(labels.Animal & "kind = 'cat'")
    assert "'cat'::" in known
    assert "::text = " not in known
    unknown = sql_of(labels.Animal & "kind = 'dog'")
    assert "dog" not in unknown
    assert len(labels.Animal & "kind = 'dog'") == 0
    assert len(labels.Animal & "kind IN ('dog', 'cat')") == 1
    assert len(labels.Animal & "kind <> 'dog'") == 5


def test_the_plan_of_one_label_does_not_serve_another(labels: Any) -> None:
    counts = [len((labels.Animal & {"mood": mood}).to_dicts()) for mood in ("good", "bad", "good", "ugly")]
    assert counts == [2, 0, 2, 0]
    assert len(labels.Animal & {"mood": None}) == 3


def test_labels_in_computed_attributes_are_text(labels: Any) -> None:
    most = dj.U("mood").aggr(labels.Animal, last="max(kind)")
    assert [row["last"] for row in (most & "last = 'it''s'").to_dicts()] == ["it's"]
    named = labels.Animal.proj(shown="coalesce(mood, 'unknown')", sort="kind")
    assert len(named & "shown = 'good'") == 2
    assert len(named & "sort = 'cat'") == 1
    assert len((named & dj.Top(3, "sort")) & "sort = 'cat'") == 0
    assert len(dj.U("kind") & labels.Animal & "kind = 'cat'") == 1
