"""Rows that DataJoint wrote are queried, checked, changed and added to, by classes and without."""

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pytest

import djflow as dj
from djflow.errors import ConflictError, DuplicateError, MissingRowError

UID = UUID("12345678-1234-5678-1234-567812345678")
KEY = {"subject_id": 0, "session_idx": 1}


def test_queries_are_the_same_by_classes_and_without(any_lab: Any) -> None:
    lab = any_lab
    mates = lab.Subject.proj(mate_id="subject_id", mate="name")
    assert (lab.Session * mates).to_arrays("mate").tolist() == ["m1", "m1"]
    counted = lab.Session.aggr(lab.Session.Trial, n="count(trial)")
    assert counted.to_arrays("n").tolist() == [0, 4, 0]
    mated = dj.U("subject_id") & (lab.Session & "mate_id IS NOT NULL").proj(
        own="subject_id", subject_id="mate_id"
    )
    assert (mated + (lab.Subject & "subject_id = 2").proj()).to_arrays("subject_id").tolist() == [1, 2]
    assert len((lab.Subject & {"subject_id": 0}).proj() + (lab.Subject & "subject_id > 1").proj()) == 2
    per_species = dj.U("species").aggr(lab.Ana, n="count(*)", y="avg(y)")
    assert per_species.to_dicts() == [
        {"species": "mouse", "n": 2, "y": 2.0},
        {"species": "rat", "n": 2, "y": 2.0},
    ]
    assert len(lab.Ana.P & (lab.Spec & "session_idx = 1")) == 6
    assert (lab.Spec - lab.Ana).keys() == [{"subject_id": 0, "session_idx": 2}]
    assert len(lab.Ana & pl.DataFrame({"session_idx": [0], "species": ["rat"]})) == 1


def test_attributes_of_one_row_are_changed(any_lab: Any) -> None:
    before = any_lab.Subject.to_dicts()
    new = {
        "name": 'it\'s \\ "new"',
        "sex": "F",
        "weight": Decimal("2.250"),
        "uid": UID,
        "meta": {"k": None},
        "ts": dt.datetime(2024, 5, 6, 7, 8, 9, 123456),
        "b": False,
        "raw": b"\x00",
    }
    any_lab.Subject().update1({"subject_id": 1, **new})
    assert any_lab.Subject.to_dicts() == [before[0], {**before[1], **new}, before[2]]
    any_lab.Subject().update1({"subject_id": 1, "name": None, "sex": None, "meta": None})
    row = (any_lab.Subject & {"subject_id": 1}).fetch1()
    assert (row["name"], row["sex"], row["meta"]) == (None, "U", None)
    with pytest.raises(DuplicateError):
        any_lab.Subject().update1({"subject_id": 1, "name": "m0"})
    with pytest.raises(MissingRowError):
        any_lab.Subject().update1({"subject_id": 9, "name": "m9"})


def test_encoded_values_and_renamed_references_are_changed(any_lab: Any) -> None:
    new = {"arr": np.linspace(0, 1, 3), "bigb": {"q": 1}, "trace": np.arange(4, dtype=np.uint8)}
    any_lab.Session().update1({**KEY, **new, "mate_id": None})
    row = (any_lab.Session & KEY).fetch1()
    assert row["mate_id"] is None
    np.testing.assert_array_equal(np.asarray(row["arr"]), new["arr"])
    assert row["bigb"] == {"q": 1}
    assert (row["trace"].dtype, row["trace"].tolist()) == (np.uint8, [0, 1, 2, 3])
    other = (any_lab.Session & "session_idx = 2").fetch1()
    np.testing.assert_array_equal(np.asarray(other["arr"]), np.arange(10))
    with pytest.raises(dj.errors.IntegrityError):
        any_lab.Session().update1({**KEY, "mate_id": 99})


def test_existing_rows_are_skipped_matched_updated_or_refused(any_lab: Any) -> None:
    table, existing = any_lab.Subject(), any_lab.Subject.to_dicts()
    changed = [{**existing[0], "sex": "F"}, {**existing[1], "subject_id": 5, "name": "m5"}]
    with pytest.raises(DuplicateError):
        table.insert(changed)
    with pytest.raises(ConflictError):
        table.insert(changed, on_conflict="match")
    assert table.to_dicts() == existing
    table.insert(existing, on_conflict="match")
    table.insert(changed, skip_duplicates=True)
    assert table.to_dicts() == [*existing, changed[1]]
    table.insert(changed, replace=True)
    assert table.to_dicts() == [changed[0], *existing[1:], changed[1]]
    assert len(any_lab.Session()) == 3


def test_all_that_an_insert_would_refuse_is_found_at_once(any_lab: Any) -> None:
    row = any_lab.Subject.to_dicts()[0]
    bad = [{**row, "species": "cat", "sex": "X"}, {**row, "subject_id": 9, "weight": "1e9"}]
    result = any_lab.Subject().validate(bad, database=True)
    found = set(result.frame.select("row", "column").rows())
    assert found == {(0, "subject_id"), (0, "species"), (0, "name"), (0, "sex"), (1, "weight"), (1, "name")}
    assert any_lab.Subject().validate([{**row, "subject_id": 9, "name": "m9"}], database=True)
    assert len(any_lab.Subject()) == 3


@pytest.mark.parametrize("known", ["classes", "no classes"])
def test_a_key_in_error_there_is_computed_here(lab: Any, lab_database: Any, known: str) -> None:
    class Ana(dj.virtual_schema("lab", connection=lab_database).Ana):  # type: ignore[misc]
        make = lab.Ana.make

    table = lab.Ana if known == "classes" else Ana
    missing = (lab.Spec * lab.Species.proj() - lab.Ana).proj()
    assert table.progress() == (2, 6)
    assert table.populate(missing, max_calls=1)["success"] == 1
    assert table.populate() == {"success": 1, "error": 0, "skip": 0, "errors": []}
    assert table.progress() == (0, 6)
    assert len(lab.Ana.P & "session_idx = 2") == 6
    errors = lab_database.query('SELECT species, error_message FROM lab."~~ana" ORDER BY 1')
    assert [tuple(row) for row in errors] == [("mouse", "ValueError: boom"), ("rat", "ValueError: boom")]


def test_a_make_that_fails_leaves_nothing_behind(lab: Any) -> None:
    def make(self: Any, key: dict[str, Any]) -> None:
        self.insert1({**key, "y": 1.0, "z": 1})
        self.P().insert1({**key, "i": 0, "v": 0})
        if key["species"] == "rat":
            raise ValueError("boom")

    lab.Ana.make = make
    done = lab.Ana.populate(suppress_errors=True)
    assert (done["success"], done["error"]) == (1, 1)
    assert [message for _, message in done["errors"]] == ["ValueError: boom"]
    assert (len(lab.Ana()), len(lab.Ana.P())) == (5, 13)
