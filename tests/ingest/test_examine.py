"""Each value that convert would refuse by itself is found in its column, and no other."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from djflow.errors import DataTypeError
from djflow.ingest.chunk import Column
from djflow.ingest.convert import convert
from djflow.ingest.examine import examine
from djflow.ingest.kernels.documents import to_json_text
from djflow.model.table import Attribute
from djflow.model.types import CoreType, EnumType, NativeType, StoredType, arrow_type

STORED: list[StoredType] = [
    *(CoreType(name) for name in ("int8", "int16", "int32", "int64", "float32", "float64", "bool", "date")),
    *(CoreType(name) for name in ("bytes", "json", "uuid", "datetime")),
    CoreType("decimal", (5, 2)),
    CoreType("decimal", (60, 1)),
    CoreType("varchar", (4,)),
    EnumType(("a", "b")),
    *(NativeType(name) for name in ("text", "numeric", "interval", "inet", "time without time zone")),
    *(NativeType(name) for name in ("integer[]", "jsonb[]", "timestamp with time zone")),
]
# fmt: off
TEXTS = st.text(max_size=5) | st.sampled_from([
    "a", "b", "1", "-1", "128", "40000", "99999999999", "999999999999999999999", "1e3", "1.5", "0x1F", "nan",
    "2024-01-31", "2024-02-30", "2024-13-01", "20240131", "2024-01-31T10:00Z", "2024-01-31T25", "10:00",
    "24:00", "inf", "yes", "{}", "[1", "null", "NaN", "-", ".", "+5", ".5", "999.995", "1_0", "e5",
])
# fmt: on
COLUMNS: list[st.SearchStrategy[Any]] = [
    TEXTS,
    st.integers(-300, 300) | st.sampled_from([2**31, 2**63 - 1, -(2**63)]),
    st.floats() | st.sampled_from([0.5, 1.0, 127.0, 128.0, 999.994, 999.996, 1e5, 2.0**63, -(2.0**63)]),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.timedeltas(dt.timedelta(0), dt.timedelta(days=2)),
    st.binary(max_size=3) | st.just(bytes(16)),
    st.decimals(-10_000, 10_000, places=3),
    st.lists(st.integers(0, 3), max_size=2),
]
PYTHON = st.one_of(
    *COLUMNS,
    st.uuids(),
    st.just({1}),
    st.just({"a": 1}),
    st.just(np.int8(1)),
    st.just(object),
    st.just(2**70),
)


def one_by_one(values: Column, attribute: Attribute) -> list[Any]:
    """What becomes of each value alone: the converted one, or the reason of its refusal."""
    found: list[Any] = []
    for place in range(len(values)):
        try:
            found.append((convert(values[place : place + 1], attribute).to_pylist()[0], None))
        except DataTypeError as error:
            found.append((None, error.reason))
    return found


def together(values: Column, attribute: Attribute) -> list[Any]:
    examined = examine(values, attribute)
    assert examined.array.type == arrow_type(attribute.stored)
    reasons: dict[int, str] = {
        place: each.reason for each in examined.refused for place in each.places.tolist()
    }
    assert sum(len(each.places) for each in examined.refused) == len(reasons)
    return [(value, reasons.get(place)) for place, value in enumerate(examined.array.to_pylist())]


def comparable(found: list[Any]) -> str:
    return repr(found)  # in which NaN is NaN


@settings(deadline=None)
@given(stored=st.sampled_from(STORED), values=st.lists(st.none() | PYTHON, max_size=6))
def test_python_values(stored: StoredType, values: list[Any]) -> None:
    attribute = Attribute("x", stored, stored, nullable=True)
    found = together(values, attribute)
    alone = one_by_one(values, attribute)
    assert [reason is None for _, reason in found] == [reason is None for _, reason in alone]
    assert comparable([value for value, _ in found]) == comparable([value for value, _ in alone])


@settings(deadline=None)
@given(data=st.data(), stored=st.sampled_from(STORED), values=st.sampled_from(COLUMNS))
def test_arrow_columns(data: st.DataObject, stored: StoredType, values: st.SearchStrategy[Any]) -> None:
    column = pa.array(data.draw(st.lists(values, min_size=1, max_size=6)))
    attribute = Attribute("x", stored, stored, nullable=True)
    assert comparable([value for value, _ in together(column, attribute)]) == comparable(
        [value for value, _ in one_by_one(column, attribute)]
    )
    assert [reason is None for _, reason in together(column, attribute)] == [
        reason is None for _, reason in one_by_one(column, attribute)
    ]


def test_all_of_a_large_column_may_be_wrong() -> None:
    for stored, values in (
        (CoreType("int8"), pl.Series(range(128, 60_000))),
        (CoreType("decimal", (5, 2)), pl.Series(range(128, 60_000)) * 1000.5),
        (CoreType("date"), pl.Series([f"2024-13-{n}" for n in range(60_000)])),
        (CoreType("uuid"), pl.Series([str(n) for n in range(60_000)])),
        (CoreType("json"), pl.Series([f"[{n}" for n in range(60_000)])),
        (EnumType(("a",)), pl.Series([str(n) for n in range(60_000)])),
    ):
        (refused,) = examine(values.to_arrow(), Attribute("x", stored, stored)).refused
        assert len(refused.places) == len(values)


def test_nulls_of_a_column_of_the_wrong_type_are_not_at_fault() -> None:
    date = CoreType("date")
    for values in ([None, 5, None], pa.array([None, 5, None], pa.int64())):
        with pytest.raises(DataTypeError) as caught:
            convert(values, Attribute("x", date, date, nullable=True))
        assert (caught.value.row, caught.value.value) == (1, 5)
        (refused,) = examine(values, Attribute("x", date, date)).refused
        assert refused.places.tolist() == [1]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        *((text, "valid") for text in ("null", " null\n", '{"a": 1e400}', "1" * 5000, '"\\ud83d\\ude42"')),
        ('"\\\\u0000"', "valid"),
        *(
            (text, "invalid")
            for text in ('"\\u0000"', '"\\ud800"', "NaN", "{'a': 1}", "", "01", '"\t"', "[1],")
        ),
    ],
)
def test_text_in_a_column_of_text_is_json_as_the_server_reads_it(
    text: str, verdict: str, connection: Any
) -> None:
    json = CoreType("json")
    examined = examine(pa.array(["{}", text, None]), Attribute("x", json, json))
    assert [each.places.tolist() for each in examined.refused] == ([[1]] if verdict == "invalid" else [])
    if verdict == "valid":
        assert to_json_text(pa.array([text])).to_pylist() == [text]
        connection.execute("SELECT %s::jsonb", (text,))
