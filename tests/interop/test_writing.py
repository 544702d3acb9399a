"""What djflow adds to a database that DataJoint made keeps to its layout."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
import pytest

import djflow as dj

UID = UUID("12345678-1234-5678-1234-567812345678")


def add_subject(lab: Any, number: int = 7) -> dict[str, Any]:
    row = {
        "subject_id": number,
        "species": "rat",
        "name": f'it\'s \\ "%" {number} é',
        "sex": "F",
        "dob": dt.date(2024, 2, 29),
        "weight": Decimal("12.125"),
        "uid": UID,
        "meta": {"k": [1, None], "deep": {"x": "ü"}},
        "ts": dt.datetime(2024, 5, 6, 7, 8, 9, 123456),
        "f": 0.1,
        "b": False,
        "raw": b"\x00\xff",
    }
    lab.Subject.insert1(row)
    return row


def add_session(lab: Any) -> None:
    lab.Session.insert1(
        {
            "subject_id": 0,
            "session_idx": 9,
            "session_date": "2024-03-01",
            "mate_id": 2,
            "trace": np.arange(6, dtype=np.int16).reshape(2, 3),
            "arr": np.linspace(0, 1, 5),
            "bigb": {"q": np.eye(3), "name": "é"},
        }
    )


def test_rows_with_every_type_go_in_and_come_back(lab: Any) -> None:
    row = add_subject(lab)
    assert (lab.Subject & {"subject_id": 7}).fetch1() == {**row, "f": float(np.float32(0.1))}
    assert (lab.Subject & {"uid": UID}).keys() == [{"subject_id": 7}]
    assert len(lab.Subject & {"name": row["name"]}) == 1


def test_defaults_fill_what_is_left_out(lab: Any) -> None:
    lab.Subject.insert1({"subject_id": 8, "species": "rat", "dob": "2024-01-01", "weight": 1, "f": 1, "b": 1})
    row = (lab.Subject & "subject_id = 8").fetch1()
    assert (row["name"], row["sex"], row["uid"], row["meta"], row["raw"]) == (None, "U", None, None, None)
    assert isinstance(row["ts"], dt.datetime)
    with pytest.raises(dj.errors.DuplicateError):
        lab.Subject.insert1({**row, "subject_id": 9, "name": "m0"})


def test_codec_columns_go_in_and_come_back(lab: Any) -> None:
    add_session(lab)
    row = (lab.Session & "session_idx = 9").fetch1()
    np.testing.assert_array_equal(row["trace"], np.arange(6, dtype=np.int16).reshape(2, 3))
    assert row["trace"].dtype == np.int16
    np.testing.assert_array_equal(np.asarray(row["arr"]), np.linspace(0, 1, 5))
    np.testing.assert_array_equal(row["bigb"]["q"], np.eye(3))
    assert row["bigb"]["name"] == "é"
    assert row["mate_id"] == 2


def test_parents_must_exist(lab: Any) -> None:
    with pytest.raises(dj.errors.IntegrityError):
        lab.Session.Trial.insert1((0, 99, 1, None))


def test_populate_makes_what_is_missing_and_nothing_else(lab: Any) -> None:
    assert lab.Ana.progress() == (2, 6)
    before = lab.Ana.to_arrays("y").tolist()
    assert lab.Ana.populate() == {"success": 2, "error": 0, "skip": 0, "errors": []}
    assert lab.Ana.populate()["success"] == 0
    assert before == [2.0] * 4
    made = lab.Ana & {"session_idx": 2}
    assert made.to_arrays("species").tolist() == ["mouse", "rat"]
    for row in made.to_dicts():
        np.testing.assert_array_equal(row["z"]["a"], np.arange(3))
        assert row["z"]["k"] == {name: row[name] for name in lab.Ana.primary_key}
    assert (lab.Ana.P & made).to_arrays("v").tolist() == [0, 0.5, 1] * 2


def test_populate_fills_the_job_columns(lab: Any, lab_url: str) -> None:
    lab.Ana.populate()
    with psycopg.connect(lab_url) as connection:
        rows = connection.execute(
            "SELECT _job_start_time, _job_duration, _job_version FROM lab.__ana WHERE session_idx = 2"
        ).fetchall()
    assert len(rows) == 2
    for start, duration, version in rows:
        assert abs(dt.datetime.now(dt.UTC).replace(tzinfo=None) - start) < dt.timedelta(days=1)
        assert 0 <= duration < 60
        assert isinstance(version, str)


def test_new_rows_upstream_become_new_keys(lab: Any) -> None:
    add_session(lab)
    lab.Spec.insert1({"subject_id": 0, "session_idx": 9, "x": 21.0}, allow_direct_insert=True)
    lab.Ana.populate({"session_idx": 9})
    assert (lab.Ana & "session_idx = 9").to_arrays("y").tolist() == [42.0, 42.0]
    assert lab.Ana.progress() == (2, 8)
