"""Rows and objects that DataJoint wrote are read with the values that it stored."""

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

STAMP = dt.datetime(2026, 11, 21, 3, 8, 24, 284290)


def trace() -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(3, 2))


def subject(number: int) -> dict[str, Any]:
    return {
        "subject_id": number,
        "species": "mouse",
        "name": f"m{number}",
        "sex": "U",
        "dob": dt.date(2024, 1, number + 1),
        "weight": Decimal("1.500"),
        "uid": None,
        "meta": {"k": [1, 2]},
        "ts": STAMP,
        "f": 0.5,
        "b": True,
        "raw": b"abc",
    }


def test_rows_come_as_dicts_of_python_values(lab: Any) -> None:
    assert lab.Subject.to_dicts() == [subject(0), subject(1), subject(2)]
    assert (lab.Subject & {"subject_id": 1}).fetch1() == subject(1)
    assert list(lab.Subject()) == lab.Subject.to_dicts()


def test_arrow_types_are_those_declared(lab: Any) -> None:
    table = lab.Subject.to_arrow()
    assert table.schema.field("subject_id").type == pa.int32()
    assert table.schema.field("weight").type == pa.decimal128(8, 3)
    assert table.schema.field("ts").type == pa.timestamp("us")
    assert table.schema.field("f").type == pa.float32()
    assert table.column("sex").to_pylist() == ["U", "U", "U"]
    assert lab.Session.Trial.to_arrow().schema.field("trial").type == pa.int8()
    assert (lab.Subject & "subject_id > 7").to_arrow().schema == table.schema


def test_frames_agree_with_dicts(lab: Any) -> None:
    columns = ["subject_id", "species", "name", "sex", "dob", "weight", "ts", "f", "b", "raw"]
    wanted = [{name: subject(n)[name] for name in columns} for n in range(3)]
    assert lab.Subject.to_polars().select(columns).to_dicts() == wanted
    pandas = lab.Subject.to_pandas()
    assert list(pandas.index) == [0, 1, 2]
    assert pandas["name"].tolist() == ["m0", "m1", "m2"]
    assert pandas["meta"].tolist() == [{"k": [1, 2]}] * 3


def test_arrays_and_keys_come_in_one_order(lab: Any) -> None:
    keys, rt = lab.Session.Trial.to_arrays("rt", include_key=True)
    assert keys == [{"subject_id": 0, "session_idx": 1, "trial": trial} for trial in range(4)]
    assert rt.tolist() == [None] * 4
    assert lab.Session.Trial.keys() == keys
    records = lab.Ana.P.to_arrays()
    assert records.dtype.names == ("subject_id", "session_idx", "species", "i", "v")
    assert records["v"].tolist() == [0.0, 0.5, 1.0] * 4


def test_arrays_in_the_table_are_decoded(lab: Any) -> None:
    for row in lab.Session.to_dicts():
        np.testing.assert_array_equal(row["trace"], trace())
    stacked = (lab.Session & "session_idx = 2").to_polars()["trace"].to_numpy()
    np.testing.assert_array_equal(stacked, [trace()])


def test_objects_in_the_store_are_read(lab: Any) -> None:
    rows = lab.Session.to_dicts(order_by="session_idx")
    assert [row["mate_id"] for row in rows] == [None, 1, 1]
    for row in rows:
        np.testing.assert_array_equal(np.asarray(row["arr"]), np.arange(10))
        assert row["arr"].shape == (10,)
        np.testing.assert_array_equal(row["bigb"]["q"], np.eye(2))
    arr, big = (lab.Session & {"subject_id": 0, "session_idx": 0}).fetch1("arr", "bigb")
    np.testing.assert_array_equal(arr[2:4], [2, 3])
    assert list(big) == ["q"]


def test_blobs_of_computed_rows_are_read(lab: Any) -> None:
    value = (lab.Ana & {"session_idx": 0, "species": "mouse"}).fetch1("z")
    np.testing.assert_array_equal(value.pop("a"), np.arange(3))
    assert value == {"b": [1, 2.5, "x", None, True]}


def test_singletons_have_one_row_and_no_key(lab: Any) -> None:
    assert lab.Cfg.fetch1() == {"a": 3}
    assert lab.Cfg.primary_key == []
    assert lab.Cfg.to_dicts() == [{"a": 3}]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ({"sex": "U"}, [0, 1, 2]),
        ("name = 'm1'", [1]),
        ({"dob": "2024-01-03"}, [2]),
        ("weight > 1.4 AND f = 0.5 AND b", [0, 1, 2]),
        ("uid IS NULL AND raw IS NOT NULL", [0, 1, 2]),
        ({"meta.k": "[1, 2]"}, [0, 1, 2]),
        ([{"name": "m0"}, {"name": "m2"}], [0, 2]),
        ("name LIKE 'm_' AND subject_id IN (0, 2)", [0, 2]),
    ],
)
def test_restrictions_select_rows(lab: Any, condition: Any, wanted: list[int]) -> None:
    assert (lab.Subject & condition).to_arrays("subject_id").tolist() == wanted
    others = [number for number in range(3) if number not in wanted]
    assert (lab.Subject - condition).to_arrays("subject_id").tolist() == others


def test_relations_match_across_foreign_keys(lab: Any) -> None:
    assert (lab.Subject & lab.Session).to_arrays("subject_id").tolist() == [0]
    assert (lab.Subject - lab.Session).to_arrays("subject_id").tolist() == [1, 2]
    mates = lab.Subject.proj(mate_id="subject_id") & lab.Session
    assert mates.to_arrays("mate_id").tolist() == [1]
    assert len(lab.Session * lab.Subject) == 3
    assert (lab.Session * lab.Session.Trial).primary_key == ["subject_id", "session_idx", "trial"]
    assert len(lab.Spec * lab.Ana * lab.Ana.P) == 12
    assert len(lab.Session * lab.Cfg) == 3


def test_rows_are_summarised_by_group(lab: Any) -> None:
    counted = lab.Session.aggr(lab.Session.Trial, n="count(trial)", last="max(trial)")
    assert counted.to_arrays("n").tolist() == [0, 4, 0]
    assert counted.to_arrays("last").tolist() == [None, 3, None]
    means = lab.Ana.aggr(lab.Ana.P, mean="avg(v)").to_arrays("mean")
    assert means.tolist() == [0.5] * 4
