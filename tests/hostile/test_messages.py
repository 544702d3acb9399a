"""What newcomers try is answered with what to write instead; nothing is sent to a server."""

import datetime as dt
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pytest

import djflow as dj
from djflow.backend.sqlstate import translate
from djflow.errors import AmbiguousPathError, ConnectionFailedError, DjflowError, MissingMethodError
from djflow.tables.schema import Schema

COLLECTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "list": list,
    "Polars series": pl.Series,
    "numpy array": np.array,
    "pandas series": pd.Series,
    "pandas index": pd.Index,
    "Arrow array": pa.array,
    "set": set,
    "view of a dict": lambda values: dict.fromkeys(values).keys(),
    "generator": lambda values: (value for value in values),
}
LISTED: dict[str, list[Any]] = {
    "n": [1, 2],
    "t": ["ann", "bob"],
    "f": [0.5, 1.5],
    "d": [dt.date(2001, 1, 1), dt.date(2002, 1, 1)],
}


def members(relation: Any) -> set[Any]:
    """The values of the list that a query restricts by."""
    return set(relation.logical_plan.condition.values)


@pytest.mark.parametrize("kind", COLLECTIONS)
@pytest.mark.parametrize("name", LISTED)
def test_a_collection_in_a_dict_is_a_list_of_values(name: str, kind: str, offline: Any) -> None:
    collection = COLLECTIONS[kind](LISTED[name])
    assert members(offline[0] & {name: collection}) == set(LISTED[name])


def test_an_array_in_one_of_several_dicts_is_a_list_of_values(offline: Any) -> None:
    table = offline[0]
    assert "2" in (table & [{"n": np.array([1, 2])}, {"n": range(5, 7)}]).make_sql()


def test_missing_values_of_pandas_match_nothing(offline: Any) -> None:
    moments = pd.Series([pd.Timestamp(2001, 1, 1), pd.NaT])
    assert members(offline[0] & {"m": moments}) == {dt.datetime(2001, 1, 1)}


def test_a_range_is_a_list_of_values_and_may_be_empty(offline: Any) -> None:
    assert members(offline[0] & {"n": range(3)}) == {0, 1, 2}
    assert "FALSE" in (offline[0] & {"n": range(0)}).make_sql()


def test_values_in_a_json_document_may_be_listed(offline: Any) -> None:
    sql = (offline[0] & {"j.k": ["a", "b"]}).make_sql()
    assert "'a'" in sql
    assert "'b'" in sql


@pytest.mark.parametrize("selection", [pl.all(), pl.col("n", "t"), pl.exclude("t"), pl.col("^t$")])
def test_a_selection_of_polars_names_attributes(selection: pl.Expr, offline: Any) -> None:
    heading = offline[0].proj(selection).heading
    frame = pl.DataFrame(schema=dict.fromkeys(offline[0].heading.names, pl.Int64))
    assert set(heading.names) == {"n", *frame.select(selection).columns}


universal: Callable[[str], Any] = dj.U  # whose types would refuse what is tried here
FRAME = pl.DataFrame({"n": [1], "t": ["a"]})
# What was tried -> what the message says.
MESSAGES: dict[str, tuple[Callable[[Any, Any], Any], str]] = {
    "2-D array": (lambda a, _: a & {"t": np.array([["x"]])}, "not one value, nor a list"),
    "query in a dict": (lambda a, b: a & {"n": b}, "queries restrict by themselves"),
    "frame in a dict": (lambda a, _: a & {"t": FRAME}, "frames and queries restrict by themselves"),
    "dict in a dict": (lambda a, _: a & {"t": {"a": 1}}, "cannot be compared"),
    "classes | classes": (lambda a, b: a | b, "a + b for a union"),
    "query | query": (lambda a, b: a() | b(), "[a, b]"),
    "dict | class": (lambda a, _: {"n": 1} | a, "[a, b]"),
    "array * class": (lambda a, _: np.array([1]) * a, "Expected a table, a query or a frame"),
    "pandas * class": (lambda a, _: FRAME.to_pandas() * a, "no lineage of their own"),
    "several outputs": (lambda a, _: a.proj(pl.all() * 2), "gives several columns; write one for each"),
    "unknown selection": (lambda a, _: a.proj(pl.col("n", "nn")), "No attribute 'nn'"),
    "summary without a name": (lambda a, b: a.aggr(b, pl.col("value").sum()), "Name the summary: total="),
    "U, without a name": (lambda a, _: universal("t").aggr(a, pl.len()), "Name the summary: total="),
    "proj(None)": (lambda a, _: a.proj(h=None), "h='NULL'"),
    "proj(1)": (lambda a, _: a.proj(h=1), "Write h='1'"),
    "join, secondary": (lambda a, _: a * FRAME, "have no lineage of their own. Rename it"),
    "aggr, secondary": (lambda a, _: a.aggr(a, n="count(*)"), ".proj(..., '-big')"),
    "unknown column": (lambda a, _: a & pl.col("bigg") > 1, "Did you mean 'big'?"),
    "no parentheses": (lambda a, _: a & pl.col("big") > 1, "needs parentheses: (pl.col('x') > 0.5)"),
    "date as text": (lambda a, _: a & (pl.col("d") > "2001-01-01"), "datetime.date(2001, 1, 1)"),
    "series": (lambda a, _: a & pl.Series([1]), "a dict: {'x': values}"),
    "pandas series": (lambda a, _: a & pd.Series([1]), "a dict: {'x': values}"),
    "array": (lambda a, _: a & np.array([1]), "a dict: {'x': [1, 2]}"),
    "number": (lambda a, _: a & 5, "a dict: {'x': [1, 2]}"),
    "join U": (lambda a, _: a * dj.U("t"), "dj.U('t') & query"),
    "restrict by U": (lambda a, _: a & dj.U("t"), "dj.U('t') & query"),
    "U & frame": (lambda _a, _b: dj.U("t") & FRAME, "dj.U(...) & (table & frame)"),
    "U & text": (lambda _a, _b: dj.U("t") & "n = 1", "(query & condition)"),
    "order by minus": (lambda a, _: a.to_dicts(order_by="-big"), "'big DESC'"),
    "class Top": (lambda a, _: a & dj.Top, "Top is a class: give an instance"),
    "restrict_by text": (lambda a, _: a.restrict_by("n = 1"), "(query & condition)"),
    "[": (lambda a, _: a["big"], "Specimen.proj('big')"),
    "query[": (lambda a, _: a.proj(...)[0], "query & dj.Top(n)"),
}
TEXTS: dict[str, str] = {
    "date_trunc_day(d) = 1": "'date_trunc_day' is not allowed",
    "timestampdiff_day(d, d) = 1": "'timestampdiff_day' is not allowed",
    "timestampdiff(fortnight, d, d) = 1": "TIMESTAMPDIFF(SECOND, x, y)",
    "count_distinct(n) = 1": "'count_distinct' is not allowed",
    "f > 0.5 || n < 9": "Write OR",
    "d > 2001-01-01": "quotes: '2001-01-01'",
    "d BETWEEN 2001-01-01 AND 2002-1-1": "quotes: '2001-01-01'",
    "t = ann": "single quotes: 'ann'",
    "ann": "a dict: {'n': 'ann'}",
    "t + '-' = 'a'": "|| or concat(a, b)",
    "n ** 2 > 1": "power(a, b)",
    "n // 2 > 1": "div(a, b)",
    "f > 0.5 AND": "ends after AND",
    "(f > 0.5": "A parenthesis is left open",
    "f > 0.5)": "closes none",
    "TRIM(LEADING 'a' FROM t) = 'b'": "TRIM with LEADING is not supported",
    "t = hello world": "An operator is missing in 'hello world'",
    "t = %s": "There are no parameters in a text",
    "t = %(x)s": "There are no parameters in a text",
    "GROUP_CONCAT(DISTINCT t) = 'a'": "DISTINCT stands in COUNT(DISTINCT x) alone",
    "GROUP_CONCAT(t ORDER BY n) = 'a'": "ORDER BY does not belong here",
    "median(f) > 1": "m=pl.col('x').median()",
    "n = ANY(1, 2)": "x IN (1, 2)",
    "n = ANY(ARRAY[1, 2])": "x IN (1, 2)",
    "n > > 1": "is one > too many?",
    "coalesce(f, 'none') = 1": "The constant 'none' is no float64",
    "CAST('x' AS INT) = 1": "column 'the constant'",
    "count() > 1": "count(*)",
    "count(n, n) > 1": "1 argument, not 2",
}
METHODS: dict[str, str] = {
    "where": "{} & condition",
    "filter": "{} & condition",
    "limit": "{} & dj.Top(n)",
    "order_by": "order_by=",
    "select": "{}.proj(",
    "group_by": ".aggr(",
    "columns": "{}.heading",
    "big": "{}.proj('big')",
}


def message(attempt: Callable[[], Any]) -> str:
    with pytest.raises(DjflowError) as caught:
        attempt()
    assert not isinstance(caught.value, ConnectionFailedError)
    assert "Resolved plan" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("tried", MESSAGES)
def test_a_mistake_is_answered_with_what_to_write(tried: str, offline: Any) -> None:
    attempt, said = MESSAGES[tried]
    assert said in message(lambda: attempt(*offline))


@pytest.mark.parametrize("text", TEXTS)
def test_a_mistake_in_a_text_is_answered_with_what_to_write(text: str, offline: Any) -> None:
    assert TEXTS[text] in message(lambda: offline[0] & text)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_of_another_library_is_answered_with_that_of_ours(name: str, offline: Any) -> None:
    table = offline[0]
    for owner, called in ((table, "Specimen"), (table & "n = 1", "Specimen"), (table.proj(...), "query")):
        assert not hasattr(owner, name)
        with pytest.raises(MissingMethodError) as caught:
            getattr(owner, name)
        assert METHODS[name].format(called) in str(caught.value)
        assert isinstance(pickle.loads(pickle.dumps(caught.value)), AttributeError)  # noqa: S301 - our own


def test_a_list_of_no_single_type_gets_no_wrong_hint(offline: Any) -> None:
    assert message(lambda: offline[0].proj(a=[1, 2])).endswith("nor a Polars expression.")


def test_of_a_value_that_a_codec_encodes_expressions_see_only_whether_it_is_null(offline: Any) -> None:
    schema = Schema("pictures", connection=offline[0]().connection)

    @schema
    class Image(dj.Manual):
        definition = """
        image : int32
        ---
        pixels : <blob>
        """

    said = message(lambda: Image() & (pl.col("pixels").list.len() > 1))
    assert "expressions see only is_null()" in said


def test_the_functions_of_trigonometry_are_complete(offline: Any) -> None:
    sql = offline[0].proj(x="tan(radians(f)) + degrees(pi())").make_sql()
    assert all(f"{name}(" in sql for name in ("tan", "radians", "degrees", "pi"))


def test_paths_that_all_pass_a_table_are_told_apart_by_renaming() -> None:
    said = str(AmbiguousPathError("race", "subject", ["race -> subject"] * 2, via="run"))
    assert "All of them pass run" in said
    assert "proj(winner='subject')" in said


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (psycopg.errors.DivisionByZero("division by zero"), "nullif(x, 0)"),
        (psycopg.errors.NumericValueOutOfRange("integer out of range"), "to a wider one"),
    ],
)
def test_an_error_of_arithmetic_says_how_to_avoid_it(error: psycopg.Error, advice: str) -> None:
    found = translate(error)
    assert advice in "".join(found.__notes__)
