"""What validate accepts insert accepts, and what it rejects insert rejects."""

import datetime as dt
import uuid
from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djflow as dj
from djflow.errors import DataTypeError, DjflowError, MissingAttributeError
from djflow.tables.schema import Schema


@pytest.fixture
def everything(schema: Schema) -> Any:
    @schema
    class Everything(dj.Manual):
        definition = """
        id : int8
        code : char(2)
        at : datetime(3)
        ---
        number = 7 : int16
        big = null : int64
        half = null : float32
        ratio = null : float64
        price = null : decimal(5,2)
        name = null : varchar(4)
        side = 'left' : enum('left', 'right')
        flag = null : bool
        born = null : date
        uid = null : uuid
        meta = null : json
        raw = null : bytes
        trace = null : <blob>
        kept = null : <blob@>
        image = null : <npy@>
        """

    return Everything()


class UndoneError(Exception):
    """Takes back what a trial inserted."""


def inserted(table: Any, rows: Any, **options: Any) -> DjflowError | None:
    """Why the rows cannot be inserted, or None; nothing stays."""
    with suppress(UndoneError), table.connection.transaction:
        try:
            table.insert(rows, **options)
        except DjflowError as error:
            return error
        raise UndoneError
    return None


def agrees(table: Any, rows: Any) -> None:
    result = table.validate(rows)
    error = inserted(table, rows)
    assert bool(result) == (error is None), (result, error)
    if isinstance(error, (DataTypeError, MissingAttributeError)):
        column = error.column if isinstance(error, DataTypeError) else error.name
        assert column in result.frame["column"].to_list()
        found = result.frame.filter(pl.col("column") == column)["row"].to_list()
        assert error.row in found or found == [None]


MOMENTS = st.sampled_from(
    [
        "2024-01-01 10:00:00.0004",
        "2024-01-01 10:00:00.0005",
        "2024-01-01 10:00:00.001",
        "1999-12-31 23:59:59.9995",
        "1999-12-31 23:59:59.999",
        "1999-12-31 23:59:59.9985",
        dt.datetime(2024, 1, 1),
    ]
)
# fmt: off
ODD = st.sampled_from([
    None, "", "x", "1", "left", "2024-02-30", "2024-01-05", "{}", "[1", "null", '"\\u0000"', '{"a": 1e400}',
    "🙂🙂🙂🙂", " 5 ", "0x1F", "\0", "a\ud800", 1, -1, 127, 128, 40_000, 2**63, 0.5, -0.0, True, b"x",
    float("nan"), float("inf"), Decimal("1.005"), Decimal("999.996"), Decimal("NaN"), {"a": [1]}, {1, 2},
    [1, 2], dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 5), uuid.UUID(int=3), np.int8(3), object,
    np.arange(3.0), np.array(["a"], object),
])
# fmt: on
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "id": st.integers(-2, 2) | st.just("1"),
    "code": st.sampled_from(["a", "a ", "b", "ab"]),
    "at": MOMENTS,
    "number": st.none() | st.integers(-5, 5),
    "big": st.none() | st.integers(-(2**63), 2**63 - 1),
    "half": st.none() | st.floats(width=32),
    "ratio": st.none() | st.floats(),
    "price": st.none() | st.decimals("-999.99", "999.99", places=2) | st.floats(-999, 999),
    "name": st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4),
    "side": st.none() | st.sampled_from(["left", "right"]),
    "flag": st.none() | st.booleans() | st.sampled_from([0, 1, "yes"]),
    "born": st.none() | st.dates(),
    "uid": st.none() | st.uuids(),
    "meta": st.none() | st.recursive(st.integers() | st.text("ab"), st.lists, max_leaves=3),
    "raw": st.none() | st.binary(max_size=3),
    "trace": st.none() | st.just(5),
    "kept": st.none() | st.just([1, "a"]),
    "image": st.none() | st.just(np.zeros(2)),
}
KEY = ("id", "code", "at")


@st.composite
def fitting_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows without a value that does not fit, of any attributes, some keys of which may be equal."""
    names = draw(st.sets(st.sampled_from(sorted(FITTING))))
    return draw(
        st.lists(st.fixed_dictionaries({name: FITTING[name] for name in sorted({*KEY, *names})}), max_size=4)
    )


@st.composite
def some_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of which some values may not fit, some names may be wrong, and some keys missing."""
    rows = draw(fitting_rows())
    for row in rows:
        for name in draw(st.lists(st.sampled_from(sorted(FITTING)), max_size=2)):
            row[name] = draw(ODD)
        if draw(st.integers(0, 9)) == 0:
            row.pop(draw(st.sampled_from(sorted(row))))
        if draw(st.integers(0, 19)) == 0:
            row["colour"] = "red"
    return rows


CHECKED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@CHECKED
@given(rows=some_rows())
def test_of_dicts(everything: Any, rows: list[dict[str, Any]]) -> None:
    agrees(everything, rows)


@CHECKED
@given(rows=fitting_rows())
def test_of_dicts_that_fit_but_for_their_keys(everything: Any, rows: list[dict[str, Any]]) -> None:
    agrees(everything, rows)


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    """Frames whose columns have any type, whether or not it suits."""
    height = draw(st.integers(0, 4))
    kinds: list[st.SearchStrategy[Any]] = [
        st.integers(-200, 200),
        st.sampled_from([1.0, 0.5, float("nan"), -0.0, 1e9]),
        st.sampled_from(["a", "left", "2024-01-01", "12", "[1]", "x" * 9, "", "2024-01-01T25", "1e3", "nan"]),
        st.booleans(),
        st.dates(dt.date(2000, 1, 1), dt.date(2001, 1, 1)),
        st.datetimes(dt.datetime(2000, 1, 1), dt.datetime(2000, 1, 2)),
        st.sampled_from([b"a", bytes(16)]),
        st.times(),
        st.decimals(-9999, 9999, places=3),
    ]
    columns = {}
    for name in draw(st.lists(st.sampled_from(sorted(FITTING)), unique=True)):
        values = draw(st.sampled_from(kinds))
        columns[name] = draw(st.lists(st.none() | values, min_size=height, max_size=height))
    columns["code"] = draw(
        st.lists(st.sampled_from(["a", "b ", "b", "abc"]), min_size=height, max_size=height)
    )
    columns["at"] = [dt.datetime(2024, 1, 1)] * height
    columns["id"] = draw(st.lists(st.integers(0, 130), min_size=height, max_size=height))
    return pl.DataFrame(columns, strict=False)


@CHECKED
@given(frame=frames())
def test_of_frames(everything: Any, frame: pl.DataFrame) -> None:
    agrees(everything, frame)
    agrees(everything, frame.to_arrow())


@pytest.fixture
def defaults(schema: Schema) -> Any:
    @schema
    class Visit(dj.Manual):
        definition = """
        visited = CURRENT_TIMESTAMP : datetime
        ---
        note = 'x' : varchar(9)
        """

    return Visit()


@CHECKED
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {}, optional={"visited": st.none() | st.just("2024-01-01"), "note": st.none() | st.just("y")}
        ),
        max_size=3,
    )
)
def test_of_keys_with_a_default(defaults: Any, rows: list[dict[str, Any]]) -> None:
    agrees(defaults, rows)


@pytest.fixture
def setting(schema: Schema) -> Any:
    @schema
    class Setting(dj.Manual):
        definition = """
        ---
        gain : float32
        """

    return Setting()


@CHECKED
@given(rows=st.lists(st.fixed_dictionaries({"gain": st.floats(width=32)}), max_size=3))
def test_of_singletons(setting: Any, rows: list[dict[str, Any]]) -> None:
    agrees(setting, rows)
