"""What a Polars expression means on the server, against Polars itself over the same rows."""

import datetime as dt
import itertools
import math
import random
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import polars as pl
import pytest
from hypothesis import HealthCheck, event, given, reject, settings
from hypothesis import strategies as st

import djflow as dj
from djflow.configuration import changed, load
from djflow.errors import DjflowError
from djflow.model.table import Attribute, Heading
from djflow.planner import analyze
from djflow.planner import scalar as s
from djflow.planner.lower_scalar import lower_scalar
from djflow.planner.nodes import Aggregate, Node, Project, Restrict
from djflow.planner.parameters import Parameters
from djflow.planner.polars_expressions import (
    output_attribute,
    polars_schema,
    read_condition,
    read_expression,
    read_summary,
)
from djflow.relation.database import Database
from djflow.relation.fetch import to_polars
from djflow.testing.naive_scalar import value_of
from djflow.testing.naive_values import UndefinedValueError

if TYPE_CHECKING:
    import psycopg

INT_COLUMNS: Final = ("i8", "i16", "i32", "i64")
FLOAT_COLUMNS: Final = ("f32", "f64", "g64")
POOLS: Final[dict[str, tuple[Any, ...]]] = {
    "i8": (0, 1, -1, 2, 3, -7, 127, -128, None),
    "i16": (0, 1, -2, 5, 32767, -32768, None),
    "i32": (0, 1, -1, 7, -7, 3, 2**31 - 1, -(2**31), None),
    "i64": (0, 1, -3, 10, 2**53 + 1, 2**63 - 1, -(2**63), None),
    "f32": (0.0, -0.0, 0.5, -1.5, 3e38, 1e-38, 16777216.0, math.nan, math.inf, -math.inf, None),
    "f64": (0.0, -0.0, 0.1, -2.5, 0.5, 1.5, 1e308, 1e-308, math.nan, math.inf, -math.inf, None),
    "g64": (0.0, -0.0, 0.3, 3.0, -3.0, 2.5, math.nan, -math.inf, None),
    "t": (True, False, None),
    "u": (True, False, None),
    "s": ("", "a", "B", "b", "é", "É", "中文", "😀", "a%b", "a_b", "a\\b", "it's", " a ", "aB", None),
    "v": ("", "a", "b", "é", "😀", "Z", "_", None),
    "c": ("a", "ab", "é", "", None),
    "e": ("b", "B", "a", "é", None),
    "d": (dt.date(2024, 2, 29), dt.date(1969, 12, 31), dt.date(1, 1, 1), dt.date(9999, 12, 31), None),
    "m": (
        dt.datetime(2024, 2, 29, 23, 59, 59, 999999),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
        dt.datetime(2024, 2, 29),
        dt.datetime(1, 1, 1),
        None,
    ),
    "x": (Decimal("1.500"), Decimal("-0.001"), Decimal("99999.999"), Decimal(0), None),
    "y": (Decimal("1.5"), Decimal("-7.0"), Decimal("1e9"), None),
    "p": ({"k": 1}, None),
}
DEFINITION: Final = """
grp : int32
row : int32
---
i8 = null : int8
i16 = null : int16
i32 = null : int32
i64 = null : int64
f32 = null : float32
f64 = null : float64
g64 = null : float64
t = null : bool
u = null : bool
s = null : varchar(20)
v = null : varchar(20)
c = null : char(4)
e = null : enum('b', 'B', 'a', 'é')
d = null : date
m = null : datetime
x = null : decimal(8,3)
y = null : decimal(20,1)
p = null : json
"""


class Awkward:
    """One table of awkward rows, grouped by a parent that also has groups without rows."""

    def __init__(self, database: Database, rows: Any, groups: Any) -> None:
        self.database = database
        self.rows: Node = rows.logical_plan
        self.groups: Node = groups.logical_plan
        self.heading: Heading = rows.heading
        self.frame: pl.DataFrame = rows.to_polars()
        self.keys: pl.DataFrame = groups.to_polars()
        self.plain = self.frame.to_dicts()

    def run(self, plan: Node) -> pl.DataFrame:
        return to_polars(plan, self.database)


@pytest.fixture(scope="module")
def awkward(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Awkward]:
    from psycopg.conninfo import conninfo_to_dict

    folder = tmp_path_factory.mktemp("awkward")
    parts = {key: str(value) for key, value in conninfo_to_dict(server_url).items()}
    server: dict[str, Any] = {key: parts[key] for key in ("host", "user", "password") if key in parts}
    server |= {"port": int(parts.get("port", "5432")), "name": parts["dbname"]}
    ambient = {"DJFLOW_HOME": str(folder), "DJ_IGNORE_CONFIG_FILE": "true"}
    chosen = changed(load(ambient, folder), {"database": server})
    database = Database(lambda: chosen)
    schema = dj.Schema(f"test_{uuid4().hex[:12]}", connection=database)

    @schema
    class Group(dj.Manual):
        definition = "grp : int32"

    @schema
    class Row(dj.Manual):
        definition = DEFINITION.replace("grp : int32", "-> Group")

    Group().insert([{"grp": number} for number in range(9)])
    Row().insert(list(_rows()))
    yield Awkward(database, Row(), Group())
    schema.drop(prompt=False)
    database.close()


def _rows() -> Iterator[dict[str, Any]]:
    chance = random.Random(7)  # noqa: S311 - the same rows every time
    for number, group in enumerate([*[0] * 60, 1, 2, 2, *[3] * 12, 4, 4, 4, *[5] * 5]):
        row = {name: chance.choice(pool) for name, pool in POOLS.items()}
        if group == 4:
            row = dict.fromkeys(row)
        yield {"grp": group, "row": number, **row}
    for number, (i32, i64) in enumerate(itertools.product((7, -7, 0, 3, -3), repeat=2), 1000):
        mild = {"i8": i32, "i16": i64, "f32": i32 / 2, "f64": float(i64), "g64": i32 / 4, "s": "ab", "v": "x"}
        yield {"grp": 6, "row": number, **dict.fromkeys(POOLS), **mild, "i32": i32, "i64": i64, "t": i32 > 0}


# expressions


class Written:
    """An expression that Hypothesis can print: a failure shows the whole of it."""

    def __init__(self, expr: pl.Expr) -> None:
        self.expr = expr

    def __repr__(self) -> str:
        return str(self.expr)


def _either(*options: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(options)


def _columns(*names: str) -> st.SearchStrategy[pl.Expr]:
    return st.sampled_from(names).map(_column)


def _column(name: str) -> pl.Expr:
    return pl.col(name)  # `pl.col` itself answers any attribute that is asked of it, its name as well


def integers(depth: int) -> st.SearchStrategy[pl.Expr]:
    leaves = _columns(*INT_COLUMNS, *INT_COLUMNS) | st.integers(-3, 5).map(pl.lit)
    if depth == 0:
        return leaves
    inner, other = integers(depth - 1), numbers(depth - 1)
    return st.one_of(
        leaves,
        st.builds(_arithmetic, inner, inner, _either("+", "-", "*", "//", "%")),
        st.builds(_arithmetic, inner, _either(0, 1, -3, 100, 1000), _either("+", "-", "*", "//", "%")),
        inner.flatmap(lambda e: _either(abs, pl.Expr.neg, pl.Expr.sign, pl.Expr.floor).map(lambda f: f(e))),
        st.builds(lambda e, n: e.clip(-n, n), inner, st.integers(0, 9)),
        st.builds(lambda e, f: e.fill_null(f), inner, inner),
        st.builds(pl.coalesce, inner, inner),
        st.builds(pl.max_horizontal, inner, inner),
        st.builds(lambda c, a, b: pl.when(c).then(a).otherwise(b), truths(depth - 1), inner, inner),
        st.builds(lambda e, t: e.cast(t), inner, _either(pl.Int8, pl.Int16, pl.Int32, pl.Int64)),
        st.builds(lambda e, n: getattr(e.dt, n)(), days(), _either(*PARTS)),
        st.builds(lambda e, n: getattr(e.str, n)(), texts(depth - 1), _either("len_chars", "len_bytes")),
        truths(depth - 1).map(lambda e: e.cast(pl.Int64)),
        other.map(lambda e: e.is_null().cast(pl.Int16)),
    )


PARTS: Final = ("year", "quarter", "month", "week", "weekday", "ordinal_day", "day")


def floats(depth: int) -> st.SearchStrategy[pl.Expr]:
    leaves = _columns(*FLOAT_COLUMNS, *FLOAT_COLUMNS) | _either(0.5, -2.0, 0.1).map(pl.lit)
    if depth == 0:
        return leaves
    inner, any_number = floats(depth - 1), numbers(depth - 1)
    return st.one_of(
        leaves,
        st.builds(_arithmetic, inner, any_number, _either("+", "-", "*", "/")),
        st.builds(_arithmetic, any_number, any_number, st.just("/")),
        st.builds(_arithmetic, any_number, _either(2, -3, 0, 0.0, 0.3), _either("+", "*", "/")),
        inner.flatmap(lambda e: _either(abs, pl.Expr.neg, pl.Expr.sign, pl.Expr.floor).map(lambda f: f(e))),
        inner.flatmap(lambda e: _either(pl.Expr.ceil, pl.Expr.round).map(lambda f: f(e))),
        any_number.map(lambda e: e.sqrt()),
        st.builds(lambda e, f: e.fill_null(f), inner, any_number),
        st.builds(pl.coalesce, any_number, inner),
        inner.map(lambda e: e.fill_nan(None)),
        st.builds(lambda c, a, b: pl.when(c).then(a).otherwise(b), truths(depth - 1), inner, any_number),
        any_number.map(lambda e: e.cast(pl.Float64)),
    )


def numbers(depth: int) -> st.SearchStrategy[pl.Expr]:
    return integers(depth) | floats(depth)


def texts(depth: int) -> st.SearchStrategy[pl.Expr]:
    leaves = _columns("s", "v", "c", "e") | _either("", "a", "é").map(pl.lit)
    if depth == 0:
        return leaves
    inner = texts(depth - 1)
    return st.one_of(
        leaves,
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b, c: pl.concat_str([a, b], separator=c), inner, inner, _either("", "-")),
        st.builds(pl.coalesce, inner, inner),
        st.builds(lambda c, a, b: pl.when(c).then(a).otherwise(b), truths(depth - 1), inner, inner),
        _columns(*INT_COLUMNS).map(lambda e: e.cast(pl.String)),
    )


def days() -> st.SearchStrategy[pl.Expr]:
    return st.one_of(
        _columns("d", "m"),
        _either(dt.date(2024, 2, 29), dt.datetime(1969, 12, 31, 23, 59, 59, 999999)).map(pl.lit),
        st.just(pl.col("m").dt.date()),
        st.just(pl.col("d").cast(pl.Datetime("us"))),
        st.just(pl.coalesce(pl.col("m").cast(pl.Date), pl.col("d"))),
    )


def decimals() -> st.SearchStrategy[pl.Expr]:
    return _columns("x", "y") | _either(Decimal("1.5"), Decimal("-0.0010"), 0, 2).map(pl.lit)


def truths(depth: int) -> st.SearchStrategy[pl.Expr]:
    leaves = _columns("t", "u")
    if depth == 0:
        return leaves
    inner = truths(depth - 1)
    pairs = st.one_of(*(st.tuples(kind, kind) for kind in _comparable(depth - 1)))
    triples = st.one_of(*(st.tuples(kind, kind, kind) for kind in _comparable(depth - 1)))
    some_float = floats(depth - 1)
    return st.one_of(
        leaves,
        st.builds(lambda pair, op: getattr(pair[0], op)(pair[1]), pairs, _either(*COMPARISONS)),
        st.builds(lambda pair, op: getattr(pair[0], op)(pair[1]), pairs, _either(*COMPARISONS)),
        st.builds(lambda t, how: t[0].is_between(t[1], t[2], how), triples, _either(*CLOSED)),
        st.builds(lambda a, b, op: getattr(a, op)(b), inner, inner, _either("and_", "or_", "xor")),
        st.builds(lambda a, b: pl.any_horizontal(a, ~b), inner, inner),
        st.builds(lambda e, name: getattr(e, name)(), some_float, _either(*OF_FLOATS)),
        st.builds(lambda pair: pair[0].is_null(), pairs),
        st.builds(lambda e, f, x: getattr(e.str, f)(x), texts(depth - 1), _either(*OF_TEXTS), _either(*BITS)),
        texts(depth - 1).map(lambda e: e.str.contains("a%", literal=True)),
        st.builds(
            lambda e, values, nulls: e.is_in(values, nulls_equal=nulls),
            integers(depth - 1),
            st.lists(_either(None, 0, 1, -7, 127, 300), max_size=3),
            st.booleans(),
        ),
        st.builds(
            lambda e, values: ~e.is_in(values),
            _columns("f64", "g64"),
            st.lists(_either(None, 0.0, math.nan, 0.1, math.inf), min_size=1, max_size=3),
        ),
        st.builds(
            lambda e, v: e.is_in(v), texts(depth - 1), st.lists(_either("a", "é", "😀", None), max_size=2)
        ),
        inner.map(lambda e: ~e),
    )


def _comparable(depth: int) -> tuple[st.SearchStrategy[pl.Expr], ...]:
    return numbers(depth), integers(depth), texts(depth), days(), decimals(), truths(0)


COMPARISONS: Final = ("eq", "ne", "lt", "le", "gt", "ge", "eq_missing", "ne_missing")
CLOSED: Final = ("both", "left", "right", "none")
OF_FLOATS: Final = ("is_nan", "is_not_nan", "is_finite", "is_infinite", "is_null", "is_not_null")
OF_TEXTS: Final = ("starts_with", "ends_with")
BITS: Final = ("", "a", "%", "_b", "\\", "é")


def _arithmetic(left: pl.Expr, right: Any, op: str) -> pl.Expr:
    names = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod"}
    made: pl.Expr = getattr(left, names[op])(right)
    return made


# what must hold


def _is_refused_by_definition(scalar: s.Scalar, awkward: Awkward) -> bool:
    """Whether the value of some row is out of the range of its type, where Polars wraps or gives infinity."""
    for row in awkward.plain:
        try:
            value_of(scalar, row, lambda _: [])
        except UndefinedValueError:
            return True
    return False


def _shown(value: Any) -> str:
    return "nan" if isinstance(value, float) and math.isnan(value) else repr(value)


def _outcome(awkward: Awkward, plan: Node, scalar: s.Scalar) -> pl.DataFrame | None:
    try:
        return awkward.run(plan)
    except DjflowError as error:
        if "out of range" not in str(error) or not _is_refused_by_definition(scalar, awkward):
            raise
        event("refused")
        return None


def _in_polars(rows: pl.LazyFrame) -> pl.DataFrame:
    """What Polars gives; an expression that it types but then refuses means nothing."""
    try:
        return rows.collect()
    except pl.exceptions.InvalidOperationError:
        reject()


CHECKED: Final = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@CHECKED
@given(written=st.one_of(integers(2), floats(2), texts(2), days(), decimals(), truths(2)).map(Written))
def test_a_computed_attribute_has_the_value_and_type_that_polars_gives(
    awkward: Awkward, written: Written
) -> None:
    expr = written.expr
    scalar = read_expression(expr, awkward.heading)
    event("local" if scalar is None else "server")
    if scalar is None:
        return
    attribute = output_attribute("z", expr, awkward.heading, summary=False)
    assert s.type_of(scalar) == attribute.stored
    key = [(a, s.Column(a.name, a.stored)) for a in awkward.heading if a.in_key]
    found = _outcome(awkward, Project(awkward.rows, (*key, (attribute, scalar))), scalar)
    if found is not None:
        expected = _in_polars(awkward.frame.lazy().select("grp", "row", z=expr))
        assert list(map(_shown, found["z"])) == list(map(_shown, expected["z"])), s.show(scalar)
        assert expected.schema["z"] in (found.schema["z"], pl.UInt32)


@CHECKED
@given(written=truths(3).map(Written))
def test_a_condition_keeps_the_rows_that_polars_keeps(awkward: Awkward, written: Written) -> None:
    expr = written.expr
    parts, rest = read_condition(expr, awkward.heading)
    event("server" if rest is None else "both" if parts else "local")
    scalar = s.conjunction(parts)
    found = _outcome(awkward, Restrict(awkward.rows, scalar), scalar)
    if found is not None:
        expected = _in_polars(awkward.frame.lazy().filter(expr))
        kept = found if rest is None else found.filter(rest)
        assert kept["row"].to_list() == expected["row"].to_list(), s.show(scalar)


def summaries(depth: int) -> st.SearchStrategy[pl.Expr]:
    mild = _columns("i8", "i16", "g64", "f64", "t", "i32")
    any_column = _columns(*(name for name in POOLS if name != "p"))
    kept = st.builds(lambda e, by: e.filter(by), any_column, truths(1))
    mild_kept = st.builds(lambda e, by: e.filter(by), mild, truths(1))
    leaves = st.one_of(
        st.builds(lambda e, f: getattr(e, f)(), mild | mild_kept, _either("sum", "mean")),
        st.builds(
            lambda e, f: getattr(e, f)(), any_column | kept, _either("min", "max", "count", "n_unique", "len")
        ),
        st.builds(lambda e, f, n: getattr(e, f)(n), mild | mild_kept, _either("std", "var"), _either(0, 1)),
        st.builds(
            lambda e, f: getattr(e, f)(), truths(1), _either("any", "all", "sum", "mean", "null_count")
        ),
        st.builds(lambda e, f: getattr(e, f)(), _columns("x", "y"), _either("sum", "max")),
        st.just(pl.len()),
    )
    if depth == 0:
        return leaves
    inner = summaries(depth - 1)
    return leaves | st.builds(_arithmetic, inner, inner | st.just(2), _either("+", "-", "*", "/"))


def _is_close(found: Any, expected: Any) -> bool:
    """Whether two summaries agree; floats up to the order in which they were added."""
    if isinstance(found, float) and isinstance(expected, float):
        both_nan = math.isnan(found) and math.isnan(expected)
        return both_nan or math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9)
    return bool(found == expected)


@CHECKED
@given(written=summaries(1).map(Written))
def test_a_summary_of_groups_is_the_one_that_polars_gives(awkward: Awkward, written: Written) -> None:
    expr = written.expr
    scalar = read_summary(expr, awkward.heading)
    event("local" if scalar is None else "server")
    if scalar is None:
        return
    attribute = output_attribute("z", expr, awkward.heading, summary=True)
    assert s.type_of(scalar) == attribute.stored
    plan = Aggregate(awkward.groups, awkward.rows, ("grp",), ((attribute, scalar),))
    for group in range(9):
        rows = awkward.frame.filter(grp=group)
        expected = rows.select(z=expr)["z"][0]
        one = analyze.restrict(plan, s.Compare("=", s.Column("grp", s.INT64), s.Constant(group, s.INT64)))
        try:
            found = awkward.run(one)["z"][0]
        except DjflowError as error:
            if "out of range" not in str(error):
                raise
            event("refused")
            continue
        assert _is_close(found, expected), (group, found, expected, s.show(scalar))


def test_the_frame_has_the_types_that_the_heading_promises(awkward: Awkward) -> None:
    assert awkward.frame.schema == polars_schema(awkward.heading)


@pytest.mark.parametrize(
    ("expr", "refused"),
    [
        (pl.col("i8") + 100, 127),
        (pl.col("i32") * 3, 2**31 - 1),
        (pl.col("i64").abs(), -(2**63)),
        (-pl.col("i16"), -32768),
    ],
)
def test_a_whole_number_beyond_its_type_is_an_error_where_polars_wraps(
    awkward: Awkward, expr: pl.Expr, refused: int
) -> None:
    (name,) = expr.meta.root_names()
    scalar = read_expression(expr, awkward.heading)
    assert scalar is not None
    attribute = output_attribute("z", expr, awkward.heading, summary=False)
    only = analyze.restrict(
        awkward.rows,
        s.Compare("=", s.Column(name, awkward.heading[name].stored), s.Constant(refused, s.INT64)),
    )
    with pytest.raises(DjflowError, match="out of range"):
        awkward.run(Project(only, (_kept(awkward.heading["row"]), (attribute, scalar))))


def _kept(attribute: Attribute) -> tuple[Attribute, s.Scalar]:
    return attribute, s.Column(attribute.name, attribute.stored)


def test_what_only_has_presence_can_be_asked_for_it(awkward: Awkward) -> None:
    parts, rest = read_condition(pl.col("p").is_not_null(), awkward.heading)
    assert rest is None
    found = awkward.run(Restrict(awkward.rows, s.conjunction(parts)))
    assert found["row"].to_list() == awkward.frame.filter(pl.col("p").is_not_null())["row"].to_list()
    assert read_expression(pl.col("p") == "{}", awkward.heading) is None


@pytest.mark.parametrize("type_", ["text", "varchar(9)", "char(3)"])
def test_text_is_ordered_by_code_point_whatever_the_language_of_the_database(
    connection: "psycopg.Connection[Any]", type_: str
) -> None:
    heading = Heading((Attribute("s", s.TEXT, s.TEXT),))
    condition = read_expression(pl.col("s") < pl.lit("B"), heading)
    assert isinstance(condition, s.Compare)
    for scalar in (condition.left, read_summary(pl.col("s").min(), heading)):
        assert scalar is not None
        sql = lower_scalar(scalar, {"s": "s"}, Parameters(), lambda _matches, _columns: "")
        found = connection.execute(
            f"SELECT pg_collation_for({sql}) FROM (SELECT 'a'::{type_}) AS t(s)".encode()
        )
        assert found.fetchall() == [('"C"',)]
