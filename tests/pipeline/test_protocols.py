"""The ways to write a `make`, and what happens to results whose inputs change while they are computed."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import djflow as dj
from djflow.backend.session import Session
from djflow.errors import InputChangedError, QueryError
from djflow.pipeline.make.fingerprint import fingerprint
from djflow.tables.schema import Schema


@pytest.fixture
def lab(schema: Schema) -> Any:
    """Four sources; `between` is called while something is being computed from one."""
    told = SimpleNamespace(between=lambda _key: None, open_transactions=[])

    @schema
    class Source(dj.Manual):
        definition = """
        number : int32
        ---
        value : float64
        signal : <blob>
        """

    Source().insert([(n, n / 2, np.arange(n)) for n in range(4)])

    def note(key: dict[str, Any]) -> None:
        told.open_transactions.append(schema.connection.in_transaction)
        told.between(key)

    @schema
    class Parts(dj.Computed):
        definition = """
        -> Source
        ---
        twice : float64
        """

        class Piece(dj.Part):
            definition = """
            -> master
            piece : int8
            """

        def make_fetch(self, key: dict[str, Any], factor: int = 2) -> tuple[Any, ...]:
            row = (Source() & key).fetch1()
            return row["value"], row["signal"], factor

        def make_compute(
            self, key: dict[str, Any], value: float, signal: Any, factor: int
        ) -> tuple[Any, ...]:
            note(key)
            signal += 1  # what was fetched may be changed in place
            return factor * value, len(signal)

        def make_insert(self, key: dict[str, Any], twice: float, pieces: int) -> None:
            assert schema.connection.in_transaction
            self.insert1({**key, "twice": twice})
            self.Piece().insert({**key, "piece": n} for n in range(pieces))
            assert len(self & key) == 1

    @schema
    class Steps(dj.Computed):
        definition = """
        -> Source
        ---
        twice : float64
        """

        def make(self, key: dict[str, Any], factor: int = 2) -> Iterator[Any]:
            fetched = (Source() & key).fetch1("value")
            computed = yield fetched
            if computed is None:
                note(key)
                computed = factor * fetched
                yield computed
            self.insert1({**key, "twice": computed})
            yield

    @schema
    class Bare(dj.Computed):
        definition = """
        -> Source
        ---
        twice : float64
        """

        def make(self, key: dict[str, Any], factor: int = 2) -> Iterator[None]:
            value = (Source() & key).fetch1("value")
            yield
            note(key)
            twice = factor * value
            yield
            self.insert1({**key, "twice": twice})

    told.schema, told.Source, told.Parts, told.Steps, told.Bare = schema, Source, Parts, Steps, Bare
    return told


def rival(schema: Schema, statement: str) -> None:
    """Somebody else runs a statement."""
    with Session(schema.connection.settings) as other:
        other.execute(statement)


KINDS = ["Parts", "Steps", "Bare"]


def values(table: Any) -> list[float]:
    return [row["twice"] for row in table.to_dicts()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_is_made_without_a_transaction_around_what_it_computes(lab: Any, kind: str) -> None:
    table = getattr(lab, kind)()
    assert table.populate()["success"] == 4
    assert values(table) == [0.0, 1.0, 2.0, 3.0]
    assert lab.open_transactions == [False] * 4
    if kind == "Parts":
        assert len(lab.Parts.Piece()) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_reach_it(lab: Any, kind: str) -> None:
    table = getattr(lab, kind)()
    table.populate(make_kwargs={"factor": 10})
    assert values(table) == [0.0, 5.0, 10.0, 15.0]


@pytest.mark.parametrize("kind", ["Parts", "Steps"])
def test_a_result_whose_input_has_changed_is_not_inserted(lab: Any, kind: str) -> None:
    def change(key: dict[str, Any]) -> None:
        if key["number"] == 2:
            rival(lab.schema, f"UPDATE {lab.Source().full_table_name} SET value = 40 WHERE number = 2")

    lab.between = change
    table = getattr(lab, kind)()
    result = table.populate(suppress_errors=True, return_exception_objects=True)
    assert (result["success"], result["error"]) == (3, 1)
    [(key, error)] = result["errors"]
    assert isinstance(error, InputChangedError)
    assert (error.key, key) == ({"number": 2}, {"number": 2})
    assert values(table) == [0.0, 1.0, 3.0]
    lab.between = lambda _key: None
    assert table.populate()["success"] == 1
    assert values(table)[2] == 80.0


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_whose_input_was_deleted_meanwhile_is_skipped(lab: Any, kind: str) -> None:
    def take_away(key: dict[str, Any]) -> None:
        if key["number"] == 1:
            rival(lab.schema, f"DELETE FROM {lab.Source().full_table_name} WHERE number = 1")

    lab.between = take_away
    table = getattr(lab, kind)()
    result = table.populate(suppress_errors=True, return_exception_objects=True)
    if kind == "Bare":
        assert (result["success"], result["skip"]) == (3, 1)
    else:  # fetching it once more finds no row
        [(_, error)] = result["errors"]
        assert isinstance(error, QueryError)
    assert values(table) == [0.0, 2.0, 3.0]


def test_a_key_that_leaves_the_key_source_meanwhile_is_skipped(schema: Schema) -> None:
    @schema
    class Number(dj.Manual):
        definition = """
        number : int32
        ---
        good : bool
        """

    Number().insert([(n, True) for n in range(3)])

    @schema
    class Twice(dj.Computed):
        definition = """
        -> Number
        ---
        twice : int32
        """

        @property
        def key_source(self) -> Any:
            return Number() & "good"

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "twice": 2 * key["number"]})
            if key["number"] == 2:
                rival(schema, f"UPDATE {Number().full_table_name} SET good = false WHERE number = 1")

    result = Twice().populate()
    assert (result["success"], result["skip"]) == (2, 1)
    assert [row["twice"] for row in Twice().to_dicts()] == [0, 4]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2), [1, 2]),
        (1, 1.0),
        ("1", 1),
        (np.arange(3), np.arange(3, dtype="i4")),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})),
        (pl.DataFrame({"a": [1]}), pl.DataFrame({"b": [1]})),
        (["ab", "c"], ["a", "bc"]),
    ],
)
def test_different_values_have_different_fingerprints(one: Any, other: Any) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_equal_values_have_the_same_fingerprint() -> None:
    def value() -> Any:
        text = str(np.str_("ab"))
        return {"a": [text, text, np.arange(4)[::2], pl.DataFrame({"x": [1.5, None]})], "b": (None, 2.5, "é")}

    shared = value()
    assert fingerprint(shared) == fingerprint(value()) == fingerprint(value())
    apart = {"a": [str(np.str_("ab")), str(np.str_("ab")), *shared["a"][2:]], "b": shared["b"]}
    assert fingerprint(apart) == fingerprint(shared)
