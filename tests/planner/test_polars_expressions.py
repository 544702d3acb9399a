"""Golden forms of Polars' expressions, and what they become."""

import datetime as dt
import math
import sys
from decimal import Decimal
from typing import Any

import polars as pl
import polars.selectors as cs
import pytest
from inline_snapshot import snapshot

from djflow.errors import QueryError, UnknownAttributeError
from djflow.model.table import Attribute, Heading
from djflow.model.types import CodecType, CoreType, EnumType, NativeType, StoredType
from djflow.planner import scalar as s
from djflow.planner.lower_scalar import lower_scalar
from djflow.planner.parameters import Parameters
from djflow.planner.polars_expressions import (
    is_elementwise,
    is_expression,
    names_read,
    output_attribute,
    polars_schema,
    read_condition,
    read_expression,
    read_summary,
)
from djflow.planner.polars_expressions.serialised import tree_of

a, b = pl.col("a"), pl.col("b")


def _attribute(name: str, stored: StoredType) -> Attribute:
    return Attribute(name, stored, stored, nullable=True)


HEADING = Heading(
    (
        _attribute("i8", CoreType("int8")),
        _attribute("i", CoreType("int32")),
        _attribute("n", CoreType("int64")),
        _attribute("f", CoreType("float32")),
        _attribute("x", CoreType("float64")),
        _attribute("t", CoreType("bool")),
        _attribute("s", CoreType("varchar", (9,))),
        _attribute("e", EnumType(("b", "a"))),
        _attribute("d", CoreType("date")),
        _attribute("m", CoreType("datetime")),
        _attribute("w", CoreType("decimal", (8, 3))),
        _attribute("u", CoreType("uuid")),
        _attribute("z", NativeType("timestamp with time zone")),
        Attribute("blob", CodecType("blob"), CoreType("bytes"), nullable=True),
    )
)
c = pl.col


def _shown(scalar: s.Scalar | None) -> str | None:
    return None if scalar is None else s.show(scalar)


@pytest.mark.parametrize(
    ("expr", "tree"),
    [
        (a, {"Column": "a"}),
        (pl.lit(5), {"Literal": {"Dyn": {"Int": 5}}}),
        (pl.lit(1.5), {"Literal": {"Dyn": {"Float": 1.5}}}),
        (pl.lit(math.nan), {"Literal": {"Dyn": {"Float": None}}}),
        (pl.lit(True), {"Literal": {"Scalar": {"Boolean": True}}}),
        (pl.lit("x"), {"Literal": {"Scalar": {"String": "x"}}}),
        (pl.lit(None), {"Literal": {"Scalar": {"Null": "Null"}}}),
        (pl.lit(5, dtype=pl.Int8), {"Literal": {"Scalar": {"Int8": 5}}}),
        (pl.lit(dt.date(2024, 1, 2)), {"Literal": {"Scalar": {"Date": 19724}}}),
        (
            pl.lit(dt.datetime(2024, 1, 2)),
            {"Literal": {"Scalar": {"Datetime": [1704153600000000, "Microseconds", None]}}},
        ),
        (pl.lit(Decimal("1.50")), {"Literal": {"Scalar": {"Decimal": [150, 38, 2]}}}),
        (a.alias("b"), {"Alias": [{"Column": "a"}, "b"]}),
        (
            a.cast(pl.Int8),
            {"Cast": {"expr": {"Column": "a"}, "dtype": {"Literal": "Int8"}, "options": "Strict"}},
        ),
        (
            a.cast(pl.Datetime("us"), strict=False),
            {
                "Cast": {
                    "expr": {"Column": "a"},
                    "dtype": {"Literal": {"Datetime": ["Microseconds", None]}},
                    "options": "NonStrict",
                }
            },
        ),
        (
            pl.when(a).then(1).otherwise(b),
            {
                "Ternary": {
                    "predicate": {"Column": "a"},
                    "truthy": {"Literal": {"Dyn": {"Int": 1}}},
                    "falsy": {"Column": "b"},
                }
            },
        ),
        (pl.len(), "Len"),
        (a.sum(), {"Agg": {"Sum": {"Column": "a"}}}),
        (a.mean(), {"Agg": {"Mean": {"Column": "a"}}}),
        (a.n_unique(), {"Agg": {"NUnique": {"Column": "a"}}}),
        (a.max(), {"Agg": {"Max": {"input": {"Column": "a"}, "propagate_nans": False}}}),
        (a.count(), {"Agg": {"Count": {"input": {"Column": "a"}, "include_nulls": False}}}),
        (a.len(), {"Agg": {"Count": {"input": {"Column": "a"}, "include_nulls": True}}}),
        (a.std(ddof=0), {"Agg": {"Std": [{"Column": "a"}, 0]}}),
        (
            a.filter(b).var(),
            {"Agg": {"Var": [{"Filter": {"input": {"Column": "a"}, "by": {"Column": "b"}}}, 1]}},
        ),
        (pl.col("a", "b"), {"Selector": {"ByName": {"names": ["a", "b"], "strict": True}}}),
        (pl.all(), {"Selector": "Wildcard"}),
    ],
    ids=str,
)
def test_polars_writes_expressions_down_as_the_reader_knows_them(expr: pl.Expr, tree: Any) -> None:
    assert tree_of(expr) == tree


@pytest.mark.parametrize(
    ("expr", "op"),
    [
        (a == b, "Eq"),
        (a != b, "NotEq"),
        (a < b, "Lt"),
        (a <= b, "LtEq"),
        (a > b, "Gt"),
        (a >= b, "GtEq"),
        (a.eq_missing(b), "EqValidity"),
        (a.ne_missing(b), "NotEqValidity"),
        (a & b, "And"),
        (a | b, "Or"),
        (a ^ b, "Xor"),
        (a + b, "Plus"),
        (a - b, "Minus"),
        (a * b, "Multiply"),
        (a / b, "TrueDivide"),
        (a // b, "FloorDivide"),
        (a % b, "Modulus"),
    ],
    ids=str,
)
def test_polars_writes_operators_down_as_the_reader_knows_them(expr: pl.Expr, op: str) -> None:
    assert tree_of(expr) == {"BinaryExpr": {"left": {"Column": "a"}, "op": op, "right": {"Column": "b"}}}


@pytest.mark.parametrize(
    ("expr", "function"),
    [
        (~a, {"Boolean": "Not"}),
        (a.is_null(), {"Boolean": "IsNull"}),
        (a.is_not_null(), {"Boolean": "IsNotNull"}),
        (a.is_nan(), {"Boolean": "IsNan"}),
        (a.is_not_nan(), {"Boolean": "IsNotNan"}),
        (a.is_finite(), {"Boolean": "IsFinite"}),
        (a.is_infinite(), {"Boolean": "IsInfinite"}),
        (a.is_between(1, 2, "left"), {"Boolean": {"IsBetween": {"closed": "Left"}}}),
        (a.is_between(1, 2, "none"), {"Boolean": {"IsBetween": {"closed": "None"}}}),
        (a.is_in([1]), {"Boolean": {"IsIn": {"nulls_equal": False}}}),
        (a.any(), {"Boolean": {"Any": {"ignore_nulls": True}}}),
        (a.all(ignore_nulls=False), {"Boolean": {"All": {"ignore_nulls": False}}}),
        (pl.any_horizontal(a, b), {"Boolean": "AnyHorizontal"}),
        (pl.all_horizontal(a, b), {"Boolean": "AllHorizontal"}),
        (a.fill_null(b), "FillNull"),
        (pl.coalesce(a, b), "Coalesce"),
        (pl.max_horizontal(a, b), "MaxHorizontal"),
        (a.null_count(), "NullCount"),
        (abs(a), "Abs"),
        (-a, "Negate"),
        (a.sign(), "Sign"),
        (a.floor(), "Floor"),
        (a.ceil(), "Ceil"),
        (a.round(), {"Round": {"decimals": 0, "mode": "HalfToEven"}}),
        (a.sqrt(), {"Pow": "Sqrt"}),
        (a.clip(0, 1), {"Clip": {"has_min": True, "has_max": True}}),
        (a.str.len_chars(), {"StringExpr": "LenChars"}),
        (a.str.len_bytes(), {"StringExpr": "LenBytes"}),
        (a.str.starts_with("x"), {"StringExpr": "StartsWith"}),
        (a.str.ends_with("x"), {"StringExpr": "EndsWith"}),
        (a.str.contains("x", literal=True), {"StringExpr": {"Contains": {"literal": True, "strict": False}}}),
        (
            pl.concat_str([a, b], separator="-"),
            {"StringExpr": {"ConcatHorizontal": {"delimiter": "-", "ignore_nulls": False}}},
        ),
        (a.dt.year(), {"TemporalExpr": "Year"}),
        (a.dt.weekday(), {"TemporalExpr": "WeekDay"}),
        (a.dt.date(), {"TemporalExpr": "Date"}),
    ],
    ids=str,
)
def test_polars_writes_functions_down_as_the_reader_knows_them(expr: pl.Expr, function: Any) -> None:
    assert tree_of(expr)["Function"]["function"] == function


def test_expressions_of_one_row_become_scalars() -> None:
    exprs = {
        "compare": c("i") > 5,
        "narrow": c("i") + 1,
        "narrowest": c("i8") * c("i8"),
        "divide": c("x") / c("n"),
        "divide by a literal": c("x") / 4,
        "text order": c("s") < "é",
        "labels": c("e") >= "a",
        "text": c("s") == "é",
        "part": c("s").str.contains("5%", literal=True),
        "list": c("i").is_in([1, None]),
        "no list": c("i").is_in([]),
        "missing": c("i").eq_missing(None),
        "between": c("d").is_between(dt.date(2024, 1, 1), dt.date(2024, 12, 31), "left"),
        "choice": pl.when(c("t")).then(1).otherwise(0),
        "year": c("m").dt.year(),
        "decimal": c("w") > Decimal("1.5"),
        "alias": (c("t") & ~c("t")).alias("never"),
    }
    assert {name: _shown(read_expression(expr, HEADING)) for name, expr in exprs.items()} == snapshot(
        {
            "compare": "i > 5",
            "narrow": "CAST(CAST(i AS int64) + 1 AS int32)",
            "narrowest": "NARROW_INT8(CAST(i8 AS int64) * CAST(i8 AS int64))",
            "divide": "CASE WHEN CAST(n AS float64) = 0.0 THEN x * inf ELSE x / CAST(n AS float64) END",
            "divide by a literal": "x * 0.25",
            "text order": "BYTEWISE(s) < 'é'",
            "labels": "BYTEWISE(e) >= 'a'",
            "text": "s = 'é'",
            "part": "s LIKE '%5\\\\%%'",
            "list": "i IN (1)",
            "no list": "CASE WHEN i IS NOT NULL THEN FALSE END",
            "missing": "i IS NULL",
            "between": "d >= datetime.date(2024, 1, 1) AND d < datetime.date(2024, 12, 31)",
            "choice": "CASE WHEN t THEN 1 ELSE 0 END",
            "year": "CAST(YEAR(m) AS int32)",
            "decimal": "w > Decimal('1.5')",
            "alias": "t AND NOT t",
        }
    )


def test_summaries_become_scalars() -> None:
    exprs = {
        "sum": c("i").sum(),
        "sum of truths": c("t").sum(),
        "mean": c("x").mean(),
        "max": c("x").max(),
        "max of text": c("s").max(),
        "rows": pl.len(),
        "some": c("x").filter(c("t")).std(),
        "different": c("i").n_unique(),
        "any": c("t").any(),
    }
    assert {name: _shown(read_summary(expr, HEADING)) for name, expr in exprs.items()} == snapshot(
        {
            "sum": "CAST(coalesce(sum(i), 0) AS int32)",
            "sum of truths": "coalesce(sum(CAST(t AS int32)), 0)",
            "mean": "sum(CAST(x AS float64)) / CAST(count(CAST(x AS float64)) AS float64)",
            "max": "coalesce(max(CASE WHEN NOT CAST(x AS float64) = nan THEN x END), max(x))",
            "max of text": "max(BYTEWISE(CAST(s AS varchar)))",
            "rows": "count(1)",
            "some": "stddev_samp(CASE WHEN t THEN CAST(x AS float64) END)",
            "different": "count_distinct(i) + (CASE WHEN count(1) > count(i) THEN 1 ELSE 0 END)",
            "any": "coalesce(bool_or(t), False)",
        }
    )


@pytest.mark.parametrize(
    "expr",
    [
        c("i") > c("i").mean(),
        c("i").shift(1),
        c("i").cum_sum(),
        c("i").rank(),
        c("i").sum().over("t"),
        c("i8") + 1000,
        c("i") == 2**70,
        c("x") > pl.lit(math.nan),
        c("x") > math.inf,
        c("x") // 2,
        c("x") % 2,
        c("x") ** 2,
        c("x").round(2),
        c("x").cast(pl.Int32),
        c("x").sin(),
        c("i").cast(pl.Int8, strict=False),
        c("i") & 1,
        c("t") + c("t"),
        c("t") == 1,
        c("s").str.to_uppercase() == "A",
        c("s").str.contains("^a"),
        c("s").str.starts_with(c("e")),
        c("s").str.len_chars() - 5,
        c("s") == "\0",
        c("s").cast(pl.Int64),
        c("i").is_in(c("n")),
        c("w") + 1,
        c("w") > 1.5,
        c("w") > Decimal("1e36"),
        c("d") - c("d"),
        c("m") > dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        c("m") > pl.lit(dt.datetime(2024, 1, 1)).cast(pl.Datetime("ns")),
        c("z") > dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        c("u") == "00000000-0000-0000-0000-000000000000",
        c("u"),
        c("blob"),
        pl.all().is_null(),
        pl.lit(pl.Series([1, 2])),
        c("i").map_elements(lambda value: value, return_dtype=pl.Int32),
    ],
    ids=str,
)
def test_what_has_no_exact_twin_is_left_to_polars(expr: pl.Expr) -> None:
    assert read_expression(expr, HEADING) is None


@pytest.mark.parametrize(
    "expr",
    [
        c("i"),
        c("x").median(),
        c("x").quantile(0.5),
        c("i").first(),
        c("i").last(),
        c("i").implode(),
        c("x").std(ddof=2),
        c("x").max() // 2,
        c("t").any(ignore_nulls=False),
        c("s").str.len_chars().sum(),
        pl.len() - c("i").count(),
        pl.lit(1).sum(),
        (c("x") - c("x").mean()).sum(),
        c("u").min(),
        c("u").n_unique(),
    ],
    ids=str,
)
def test_summaries_without_an_exact_twin_are_left_to_polars(expr: pl.Expr) -> None:
    assert read_summary(expr, HEADING) is None


def test_conjuncts_go_to_the_server_and_the_rest_stays() -> None:
    parts, rest = read_condition((c("i") > 5) & (c("x").sin() > 0) & c("t") & (c("x").cos() > 0), HEADING)
    assert [s.show(part) for part in parts] == ["i > 5", "t"]
    assert str(rest) == str((c("x").sin() > 0) & (c("x").cos() > 0))
    assert read_condition(c("t"), HEADING) == ((s.Column("t", CoreType("bool")),), None)


def test_nothing_is_split_off_what_looks_at_other_rows() -> None:
    expr = (c("i") > 5) & (c("x") > c("x").mean())
    parts, rest = read_condition(expr, HEADING)
    assert parts == ()
    assert rest is expr


def test_a_condition_that_is_no_truth_stays_with_polars() -> None:
    assert read_condition(c("i"), HEADING)[0] == ()


def test_text_is_ordered_by_code_point_and_constants_travel_as_parameters() -> None:
    scalar = read_expression((c("s") < "x'; --") & (c("i") > 3), HEADING)
    assert scalar is not None
    params = Parameters()
    columns = {name: f't."{name}"' for name in HEADING.names}
    sql = lower_scalar(scalar, columns, params, lambda _matches, _columns: "")
    assert sql == snapshot('((t."s" COLLATE "C")::text < $1::text AND t."i" > $2::bigint)')
    assert [value.value for value in params.values] == snapshot(["x'; --", 3])


def test_a_large_list_is_one_parameter() -> None:
    scalar = read_expression(c("n").is_in(list(range(10_000))), HEADING)
    assert isinstance(scalar, s.InList)
    assert len(scalar.values) == 10_000


def test_guards_that_would_grow_without_bound_are_left_to_polars() -> None:
    expr = c("x")
    for _ in range(12):
        expr = expr / expr
    assert read_expression(expr, HEADING) is None


def test_the_attributes_read_are_those_named_or_all() -> None:
    assert names_read(c("i") + c("x").filter(c("t")).mean().over("s"), HEADING) == {"i", "x", "t", "s"}
    assert names_read(pl.col("i", "x"), HEADING) == {"i", "x"}
    for expr in (pl.all(), cs.numeric().sum(), pl.col("^i.*$"), pl.nth(0)):
        assert names_read(expr, HEADING) == set(HEADING.names)
    assert names_read(c("s") == "Column", HEADING) == {"s"}


def test_an_unknown_column_is_an_error_with_a_suggestion() -> None:
    for function in (names_read, read_expression, read_summary, read_condition):
        with pytest.raises(UnknownAttributeError, match="Did you mean 'blob'"):
            function(c("blobb").is_null(), HEADING)


def test_only_known_functions_count_as_elementwise() -> None:
    assert is_elementwise(pl.when(c("s").str.to_lowercase() == "a").then(c("x").sin()).otherwise(1.0))
    assert is_elementwise(c("i").is_in([1, 2]))
    for expr in (
        c("i").is_in(c("n")),
        c("i").sum(),
        c("i").shift(1),
        c("i").fill_null(strategy="forward"),
        pl.lit(pl.Series([1, 2])),
        c("i").sum().over("s"),
        c("i").filter(c("t")),
        c("i").map_elements(lambda value: value, return_dtype=pl.Int32),
        c("s").str.to_date(),
    ):
        assert not is_elementwise(expr), expr


def test_expressions_are_recognised_without_importing_polars(monkeypatch: pytest.MonkeyPatch) -> None:
    assert is_expression(c("a"))
    assert not is_expression("a")
    monkeypatch.delitem(sys.modules, "polars")
    assert not is_expression(object())
    assert "polars" not in sys.modules


@pytest.mark.parametrize(
    ("expr", "type_"),
    [
        (c("i") + 1, "int32"),
        (c("i") / 2, "float64"),
        (c("f") / 2, "float32"),
        (c("s").str.len_chars(), "int64"),
        (c("e"), "varchar"),
        (c("w") * 2, "decimal(38,3)"),
        (c("z"), "timestamp with time zone"),
        (c("m") - c("m"), "interval"),
        (c("s").hash(), "decimal(20,0)"),
        (c("s").str.split(","), "text[]"),
    ],
    ids=str,
)
def test_the_attribute_has_the_type_that_polars_gives(expr: pl.Expr, type_: str) -> None:
    attribute = output_attribute("new", expr, HEADING, summary=False)
    assert (attribute.name, str(attribute.stored), attribute.nullable) == ("new", type_, True)


def test_a_summary_that_keeps_its_rows_is_a_list() -> None:
    assert str(output_attribute("new", c("n"), HEADING, summary=True).stored) == "bigint[]"
    assert str(output_attribute("new", c("n").mean(), HEADING, summary=True).stored) == "float64"


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        (pl.struct("i", "x"), "no type of an attribute"),
        (c("blob"), "no type of an attribute"),
        (pl.col("i", "x"), "one column, not 2"),
        (c("t").sign(), "Polars refuses"),
    ],
    ids=str,
)
def test_an_attribute_that_no_column_could_hold_is_refused(expr: pl.Expr, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        output_attribute("new", expr, HEADING, summary=False)


def test_codecs_values_are_objects_to_polars() -> None:
    assert polars_schema(HEADING)["blob"] == pl.Object
