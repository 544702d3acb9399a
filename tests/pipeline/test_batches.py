"""One call of `make_batch` for many keys gives what one call for each would."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

import djflow as dj
from djflow.errors import DjflowError, DuplicateError
from djflow.tables.schema import Schema

KEYS = 600


@pytest.fixture
def lab(schema: Schema) -> Any:
    """Many numbers, and a table whose `make_batch` also does what `Root.how` says."""

    @schema
    class Number(dj.Lookup):
        definition = """
        number : int16
        day : date
        """
        contents = ((n, dt.date(2026, 1, 1 + n % 28)) for n in range(KEYS))

    @schema
    class Root(dj.Computed):
        definition = """
        -> Number
        ---
        root : float64
        """
        how: Any = None
        calls: Any = None

        class Digit(dj.Part):
            definition = """
            -> master
            place : int8
            ---
            digit : varchar(1)
            """

        def make_batch(self, keys: pl.DataFrame, power: float = 0.5) -> None:
            self.calls.append(keys)
            self.insert(keys.with_columns(root=pl.col("number") ** power))
            digits = keys.with_columns(place=pl.lit(0), digit=pl.col("number").cast(pl.String).str.head(1))
            self.Digit().insert(digits)
            if self.how:
                self.how(keys)

    Root.calls = []
    Root.how = None
    return Root


def test_all_keys_are_made_by_few_calls(lab: Any) -> None:
    assert lab().populate()["success"] == KEYS
    assert len(lab.calls) == 3
    assert lab.calls[0].schema == {"number": pl.Int16(), "day": pl.Date()}
    assert lab().to_polars()["root"].to_list() == [n**0.5 for n in range(KEYS)]
    assert len(lab.Digit()) == KEYS


def test_arguments_reach_the_batch(lab: Any) -> None:
    lab().populate(max_calls=5, make_kwargs={"power": 2})
    assert lab().to_polars()["root"].to_list() == [0, 1, 4, 9, 16]


def test_a_key_that_fails_is_left_alone(lab: Any) -> None:
    def how(_table: Any, keys: pl.DataFrame) -> None:
        if 77 in keys["number"]:
            raise ZeroDivisionError

    lab.how = how
    result = lab().populate(suppress_errors=True)
    assert (result["success"], result["error"]) == (KEYS - 1, 1)
    assert result["errors"][0][0]["number"] == 77
    assert len(lab.Digit()) == KEYS - 1


def test_a_key_that_the_server_refuses_is_left_alone(lab: Any) -> None:
    def how(table: Any, keys: pl.DataFrame) -> None:
        table.Digit().insert(keys.filter(number=300).with_columns(place=0, digit=pl.lit("x")))

    lab.how = how
    result = lab().populate(suppress_errors=True, return_exception_objects=True)
    assert (result["success"], result["error"]) == (KEYS - 1, 1)
    [(key, error)] = result["errors"]
    assert key["number"] == 300
    assert isinstance(error, DuplicateError)


def test_a_batch_has_no_upstream_of_one_key(lab: Any) -> None:
    def how(table: Any, _keys: pl.DataFrame) -> None:
        with pytest.raises(DjflowError, match=r"Root\.upstream is that of one key, and make_batch has 2"):
            _ = table.upstream

    lab.how = how
    assert lab().populate(max_calls=2)["success"] == 2
    assert len(lab.calls) == 1
