"""Values become exactly the Arrow type of their attribute, or the first bad row is named."""

import datetime as dt
import enum
import math
import uuid
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import DataTypeError, MissingAttributeError
from djflow.ingest.convert import convert
from djflow.model.table import Attribute, Literal, Null
from djflow.model.types import CoreType, EnumType, NativeType, StoredType, arrow_type

INT8, INT32, INT64, FLOAT32, FLOAT64 = map(CoreType, ("int8", "int32", "int64", "float32", "float64"))
BOOL, DATE, DATETIME, BYTES, JSON, UUID = map(CoreType, ("bool", "date", "datetime", "bytes", "json", "uuid"))
DECIMAL, TEXT, SEX = CoreType("decimal", (8, 3)), CoreType("varchar", (5,)), EnumType(("M", "F", "it's"))
TIME, INTERVAL, REALS = NativeType("time without time zone"), NativeType("interval"), NativeType("real[]")
ZONED, NUMERIC, INET = NativeType("timestamp with time zone"), NativeType("numeric"), NativeType("inet")
EAST = dt.timezone(dt.timedelta(hours=2))
NOON = dt.datetime(2024, 5, 6, 12)
DAY = dt.date(2024, 5, 6)
A_UUID = uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")


class Color(enum.StrEnum):
    """A label that is a str."""

    MALE = "M"


def nullable(stored: StoredType) -> Attribute:
    return Attribute("x", stored, stored, nullable=True, default=Null())


def converted(values: Any, stored: StoredType) -> list[Any]:
    array = convert(values, nullable(stored))
    assert array.type == arrow_type(stored)
    result: list[Any] = array.to_pylist()
    return result


ACCEPTED: list[tuple[StoredType, Any, list[Any]]] = [
    (INT8, [1, -128, 127, None], [1, -128, 127, None]),
    (INT8, [True, 2, 3.0, "4", " 5 ", Decimal(6), np.int64(7), np.float32(8), pd.NA],
     [1, 2, 3, 4, 5, 6, 7, 8, None]),
    (INT32, np.array([1, 2], ">i2"), [1, 2]),
    (INT32, pl.Series([1, None], dtype=pl.UInt64), [1, None]),
    (INT64, [2**63 - 1, -(2**63)], [2**63 - 1, -(2**63)]),
    (FLOAT64, [1, 2.5, None, "nan", Decimal("0.5"), True], [1.0, 2.5, None, math.nan, 0.5, 1.0]),
    (FLOAT64, np.array([math.nan, math.inf]), [math.nan, math.inf]),
    (FLOAT32, [16777217, 0.1], [16777216.0, float(np.float32(0.1))]),
    (FLOAT32, np.array([1.5], np.float16), [1.5]),
    (BOOL, [True, 0, 1.0, "t", "No", np.bool_(True), None], [True, False, True, True, False, True, None]),
    (BOOL, pl.Series([0, 1], dtype=pl.Int8), [False, True]),
    (DECIMAL, [Decimal("1.0005"), Decimal("-1.0005"), 2, 0.1, "3", 1e-300, True],
     list(map(Decimal, ("1.001", "-1.001", "2.000", "0.100", "3.000", "0.000", "1.000")))),
    (DECIMAL, pl.Series(["1.5", "2"]).cast(pl.Decimal(38, 1)), [Decimal("1.500"), Decimal("2.000")]),
    (DECIMAL, pa.array([0.1, 2.5], pa.float32()), [Decimal("0.100"), Decimal("2.500")]),
    (CoreType("decimal", (38, 0)), [10**38 - 1], [Decimal(10**38 - 1)]),
    (CoreType("decimal", (20, 0)), np.array([2**64 - 1], np.uint64), [Decimal(2**64 - 1)]),
    (CoreType("decimal", (50, 10)), [Decimal("1e30"), None],
     [Decimal("1e30").quantize(Decimal("1e-10"), context=Context(60)), None]),
    (TEXT, ["abc", "äöüßé", 12345, np.str_("a"), None], ["abc", "äöüßé", "12345", "a", None]),
    (TEXT, pl.Series(["a", "b"], dtype=pl.Categorical), ["a", "b"]),
    (TEXT, pa.array(["a", None], pa.string_view()), ["a", None]),
    (TEXT, pd.Series(["a", None]), ["a", None]),
    (SEX, ["M", "it's", Color.MALE, None], ["M", "it's", "M", None]),
    (SEX, pl.Series(["F"], dtype=pl.Enum(["F"])), ["F"]),
    (DATE, [DAY, "2024-05-06", dt.datetime(2024, 5, 6), np.datetime64("2024-05-06"), pd.Timestamp(DAY),
      pd.NaT],
     [DAY] * 5 + [None]),
    (DATE, np.array(["2024-05", "NaT"], "M8[M]"), [dt.date(2024, 5, 1), None]),
    (DATETIME, [NOON, DAY, "2024-05-06 12:00", "2024-05-06T12:00:00.5", np.datetime64("2024-05-06T12")],
     [NOON, NOON.replace(hour=0), NOON, NOON.replace(microsecond=500_000), NOON]),
    (DATETIME, [NOON.replace(tzinfo=EAST), NOON, "2024-05-06T12:00:00+02:00", "2024-05-06 12:00:00Z"],
     [NOON.replace(hour=10), NOON, NOON.replace(hour=10), NOON]),
    (DATETIME, pd.Series([NOON]).dt.tz_localize("Europe/Berlin"), [NOON.replace(hour=10)]),
    (DATETIME, pl.Series([NOON]).dt.cast_time_unit("ns"), [NOON]),
    (ZONED, [NOON, NOON.replace(tzinfo=EAST)],
     [NOON.replace(tzinfo=dt.UTC), NOON.replace(hour=10, tzinfo=dt.UTC)]),
    (TIME, [dt.time(1, 2, 3, 4), "10:00", dt.timedelta(hours=3), None],
     [dt.time(1, 2, 3, 4), dt.time(10), dt.time(3), None]),
    (INTERVAL, [dt.timedelta(days=-3, microseconds=7), np.timedelta64(5, "m")],
     [dt.timedelta(days=-3, microseconds=7), dt.timedelta(minutes=5)]),
    (UUID, [A_UUID, str(A_UUID).upper(), "{" + A_UUID.hex + "}", A_UUID.urn, A_UUID.bytes, None],
     [str(A_UUID)] * 5 + [None]),
    (UUID, pa.array([A_UUID.bytes, None], pa.uuid()), [str(A_UUID), None]),
    (UUID, pa.array([None, A_UUID.bytes, A_UUID.bytes], pa.binary(16)).slice(1), [str(A_UUID)] * 2),
    (BYTES, [b"\0a", bytearray(b"b"), memoryview(b"c"), None], [b"\0a", b"b", b"c", None]),
    (BYTES, pl.Series([b"a"]), [b"a"]),
    (JSON, [{"a": [1, np.float64(2.5)]}, "text", 5, True, None, np.array([1, 2])],
     ['{"a": [1, 2.5]}', '"text"', "5", "true", None, "[1, 2]"]),
    (JSON, pl.Series(['{"a": 1}', None]), ['{"a": 1}', None]),
    (JSON, pl.Series([{"a": 1}]), ['{"a": 1}']),
    (REALS, [[1, 2.5], [], None, np.array([3.0])], [[1.0, 2.5], [], None, [3.0]]),
    (REALS, [[1, 2.5, "3", None], (4,)], [[1.0, 2.5, 3.0, None], [4.0]]),
    (NativeType("integer[][]"), [np.eye(2), [[1], []]], [[[1, 0], [0, 1]], [[1], []]]),
    (REALS, np.array([[1, 2], [3, 4]]), [[1.0, 2.0], [3.0, 4.0]]),
    (REALS, pl.Series([[1.5, None], None, []], dtype=pl.List(pl.Float64)), [[1.5, None], None, []]),
    (REALS, pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2)), [[1.0, 2.0]]),
    (NUMERIC, [1, Decimal("1.50"), "-2e5", 0.5], ["1", "1.50", "-2e5", "0.5"]),
    (INET, ["10.0.0.1/8", None], ["10.0.0.1/8", None]),
    (NativeType("numeric(5,2)"), [1.005, "2"], [Decimal("1.01"), Decimal("2.00")]),
    (NativeType("tsrange"), ["[2024-05-06,)"], ["[2024-05-06,)"]),
    (NativeType("money"), [5, Decimal("2.50"), 0.5], ["5", "2.50", "0.5"]),
]  # fmt: skip


@pytest.mark.parametrize(("stored", "values", "expected"), ACCEPTED)
def test_values_that_mean_the_same_are_stored_the_same(
    stored: StoredType, values: Any, expected: list[Any]
) -> None:
    if isinstance(values, (pl.Series, pd.Series)):
        values = pa.chunked_array(values) if isinstance(values, pl.Series) else pa.array(values)
    result = converted(values, stored)
    assert [str(value) for value in result] == [str(value) for value in expected]


REFUSED: list[tuple[StoredType, Any, int, str]] = [
    (INT8, [1, 128], 1, "not a whole number from -128 to 127"),
    (INT8, [1, 2, math.nan], 2, "not a whole number"),
    (INT32, [1.0, 1.5, "x"], 1, "not a whole number"),
    (INT32, ["1", "x"], 1, "not a whole number"),
    (INT64, [1, 2**63], 1, "not a whole number"),
    (INT64, [NOON], 0, "is not an integer"),
    (INT32, pl.Series([1, 2**40]), 1, "not a whole number"),
    (INT32, np.array([1.0, math.inf]), 1, "not a whole number"),
    (FLOAT32, [1.0, 1e39], 1, "too large for a 32-bit float"),
    (FLOAT64, [1.0, "x"], 1, "not a number"),
    (FLOAT64, [DAY], 0, "is not a number"),
    (BOOL, [1, 2], 1, "neither 0 nor 1"),
    (BOOL, ["yes", "maybe"], 1, "neither true nor false"),
    (DECIMAL, ["1", "123456"], 1, "not a number of 5 digits before the point"),
    (DECIMAL, [Decimal("99999.9995")], 0, "not a number of 5 digits"),
    (DECIMAL, [1.0, math.nan], 1, "not a number of 5 digits"),
    (DECIMAL, [Decimal("NaN")], 0, "not a number of 5 digits"),
    (DECIMAL, [10**40], 0, "not a number of 5 digits"),
    (TEXT, ["12345", "123456"], 1, "longer than 5 characters"),
    (TEXT, ["a", "b\0"], 1, "NUL character"),
    (TEXT, ["a", b"b"], 1, "bytes is not text"),
    (TEXT, ["a", 1.5], 1, "a float is not text"),
    (TEXT, ["a", "\ud800"], 1, "not valid Unicode"),
    (TEXT, ["a", object()], 1, "a value of type object has no place here"),
    (SEX, ["M", "m"], 1, "not one of the labels"),
    (SEX, [1], 0, "not a label"),
    (DATE, [DAY, NOON], 1, "has a time of day"),
    (DATE, ["2024-05-06", "06.05.2024"], 1, "ISO form"),
    (DATE, [20240506], 0, "an integer is not a date"),
    (DATETIME, ["2024-05-06 12:00", "noon"], 1, "ISO form"),
    (DATETIME, ["2024-05-06T12:00Z", "noonZ"], 1, "ISO form"),
    (DATETIME, np.array(["2024", "12024"], "M8[s]"), 1, "years 1 to 9999"),
    (TIME, ["10:00", "25:00"], 1, "not a time of day"),
    (TIME, [dt.timedelta(days=1)], 0, "not within one day"),
    (INTERVAL, [5], 0, "is not a duration"),
    (UUID, [A_UUID, "a0eebc99"], 1, "not a UUID"),
    (UUID, [b"short"], 0, "not 16 bytes long"),
    (BYTES, [b"a", "b"], 1, "text is not bytes"),
    (JSON, [{}, {"a": math.nan}], 1, "cannot be written as JSON"),
    (JSON, [{}, object()], 1, "cannot be written as JSON"),
    (JSON, [{}, "a\0"], 1, "NUL character"),
    (REALS, [[1.0], [1e39]], 1, "too large"),
    (REALS, [[1.0], 1.0], 1, "a value of type float is not a list"),
    (NUMERIC, ["1", "x"], 1, "not a number"),
]


@pytest.mark.parametrize(("stored", "values", "row", "reason"), REFUSED)
def test_the_first_value_that_does_not_fit_is_named(
    stored: StoredType, values: Any, row: int, reason: str
) -> None:
    shown = values[row]
    if isinstance(values, pl.Series):
        values = values.to_arrow()
    with pytest.raises(DataTypeError, match=reason) as caught:
        convert(values, nullable(stored), first_row=100, table="lab.subject")
    error = caught.value
    assert (error.row, error.column, error.expected, error.table) == (
        100 + row,
        "x",
        str(stored),
        "lab.subject",
    )
    assert repr(error.value) == repr(shown.item() if isinstance(shown, np.generic) else shown)


def test_an_unknown_label_is_refused_with_the_labels() -> None:
    with pytest.raises(DataTypeError, match=r"Expected enum\('M','F','it''s'\), got 'X'"):
        convert(["X"], nullable(SEX))


def test_a_backslash_before_letters_is_no_nul_in_json() -> None:
    assert converted(["\\u0000"], JSON) == [r'"\\u0000"']


@pytest.mark.parametrize("stored", [INT32, TEXT, FLOAT64, DATETIME, DECIMAL, BYTES, BOOL, DATE, UUID])
def test_an_array_of_the_exact_type_is_not_copied(stored: StoredType) -> None:
    array = convert([None], nullable(stored)).take(pa.array([0, 0, 0]))
    again = convert(array, nullable(stored))
    assert [b and b.address for b in again.buffers()] == [b and b.address for b in array.buffers()]


@pytest.mark.parametrize("values", [[1, None], pa.array([1, None]), pl.Series([1, None]).to_arrow()])
def test_a_null_where_a_value_is_required_is_missing_in_its_row(values: Any) -> None:
    with pytest.raises(MissingAttributeError, match="requires attribute 'x', which is missing in row 8"):
        convert(values, Attribute("x", INT32, INT32), first_row=7)


def test_a_null_passes_where_the_table_has_a_default() -> None:
    assert convert([None], Attribute("x", INT32, INT32, default=Literal("5"))).null_count == 1


def test_mixed_python_types_do_not_lose_what_one_of_them_holds() -> None:
    assert converted([DAY, NOON], DATETIME) == [NOON.replace(hour=0), NOON]


@given(st.lists(st.one_of(st.none(), st.integers(-300, 300), st.floats(-300, 300)), min_size=1))
def test_the_row_that_is_named_is_the_first_that_fails_by_itself(values: list[Any]) -> None:
    def fits(value: float | None) -> bool:
        return value is None or (-128 <= value <= 127 and value == int(value))

    assert_first_refused(values, INT8, [row for row, value in enumerate(values) if not fits(value)])


@given(st.lists(st.one_of(st.none(), st.decimals(-99999, 99999, places=6)), min_size=1))
def test_decimals_round_half_away_from_zero(values: list[Decimal | None]) -> None:
    step = Decimal("0.001")
    expected = [None if v is None else v.quantize(step, "ROUND_HALF_UP") for v in values]
    assert converted(values, DECIMAL) == expected


@given(st.lists(st.one_of(st.none(), st.uuids()), min_size=1), st.integers(0, 3))
def test_uuids_are_the_same_from_bytes_and_from_text(values: list[uuid.UUID | None], skipped: int) -> None:
    raw = pa.array([v and v.bytes for v in values], pa.binary(16)).slice(skipped)
    assert converted(raw, UUID) == [v and str(v) for v in values[skipped:]]


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_characters="\0"), max_size=8))))
def test_text_is_limited_by_characters_not_bytes(values: list[str | None]) -> None:
    too_long = [row for row, value in enumerate(values) if value is not None and len(value) > 5]
    assert_first_refused(values, TEXT, too_long)


def assert_first_refused(values: list[Any], stored: StoredType, refused: list[int]) -> None:
    if not refused:
        assert converted(values, stored) == values
        return
    with pytest.raises(DataTypeError) as caught:
        converted(values, stored)
    assert caught.value.row == refused[0]
