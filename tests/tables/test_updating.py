"""One row corrected in place: exactly that row, exactly those attributes, or nothing at all."""

import datetime as dt
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow.errors import (
    DataTypeError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    InvalidArgumentError,
    InvalidRowsError,
    MissingAttributeError,
    MissingRowError,
    UnknownAttributeError,
)
from djflow.tables.schema import Schema


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Species(dj.Lookup):
        definition = """
        species : varchar(20)
        """
        contents = (("mouse",), ("rat",))

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        code : char(3)
        ---
        -> [nullable] Species
        name = 'nobody' : varchar(10)
        born : date
        weight = null : float32
        price = null : decimal(6,2)
        side = 'left' : enum('left', 'right')
        uid = null : uuid
        meta = null : json
        seen = null : datetime(3)
        raw = null : bytes
        trace = null : <blob>
        kept = null : <blob@>
        image = null : <npy@>
        unique index (name, weight)
        """

    subjects = [
        {"subject": 1, "code": "a", "born": "2024-01-01", "name": "ann", "weight": 1.5},
        {"subject": 1, "code": "b", "born": "2024-01-01", "name": "ben", "weight": 2.5},
        {"subject": 2, "code": "a", "born": "2024-01-01", "species": "rat"},
    ]
    Subject().insert(subjects)
    assert len(Species()) == 2
    return Subject()


def files(tmp_path: Path) -> int:
    return sum(path.is_file() for path in (tmp_path / "store").rglob("*"))


def test_one_row_changes_in_the_attributes_given(subject: Any) -> None:
    before = subject.to_dicts()
    assert subject.update1({"subject": 1, "code": "b", "name": "bob"}) is None
    before[1]["name"] = "bob"
    assert subject.to_dicts() == before
    type(subject).update1({"subject": 1, "code": "b", "weight": None})
    assert (subject & {"name": "bob"}).fetch1("weight") is None


def test_values_of_every_type_arrive_as_an_insert_would_store_them(subject: Any) -> None:
    uid = uuid.uuid4()
    key = {"subject": 2, "code": "a"}
    given = {
        "species": "mouse",
        "born": dt.date(2020, 2, 29),
        "weight": np.float32("nan"),
        "price": 1.005,
        "side": "right",
        "uid": uid,
        "meta": {"a": [1, None, "é'"]},
        "seen": "2024-01-01 10:00:00.0006",
        "raw": b"\0\xff",
        "trace": np.arange(3),
        "kept": {"x": 1},
        "image": np.eye(2),
    }
    subject.update1({**key, **given})
    changed = (subject & key).fetch1()
    twin = {**key, "subject": 3}
    subject.insert1({**twin, **given, "name": "twin"})
    inserted = (subject & twin).fetch1()
    for row in (changed, inserted):
        assert np.isnan(row.pop("weight"))
        assert row.pop("trace").tolist() == [0, 1, 2]
        assert row.pop("image").load().tolist() == [[1, 0], [0, 1]]
        del row["name"], row["subject"]
    assert changed == inserted
    assert (changed["price"], changed["uid"]) == (Decimal("1.01"), uid)


def test_none_resets_to_the_default(subject: Any) -> None:
    key = {"subject": 1, "code": "a"}
    subject.update1({**key, "side": "right", "species": "rat", "kept": 1})
    subject.update1({**key, "side": None, "species": None, "name": None, "kept": None})
    row = (subject & key).fetch1()
    assert (row["side"], row["species"], row["name"], row["kept"]) == ("left", None, "nobody", None)
    with pytest.raises(MissingAttributeError, match="'born'"):
        subject.update1({**key, "born": None})


def test_a_float_in_the_key_finds_its_row(schema: Schema) -> None:
    @schema
    class Level(dj.Manual):
        definition = """
        level : float32
        at : datetime
        ---
        note = '' : varchar(9)
        """

    key = {"level": 0.1, "at": "2024-01-01 10:00:00.123456"}
    Level().insert1(key)
    Level().update1({**key, "note": "low"})
    assert Level().fetch1("note") == "low"


def test_the_row_of_a_singleton_needs_no_key(schema: Schema) -> None:
    @schema
    class Setting(dj.Manual):
        definition = """
        ---
        gain = 1 : int32
        """

    with pytest.raises(MissingRowError):
        Setting().update1({"gain": 5})
    Setting().insert1({"gain": 2})
    Setting().update1({"gain": 5})
    assert Setting().fetch1("gain") == 5
    Setting().update1({"gain": None})
    assert Setting().fetch1("gain") == 1


@pytest.mark.parametrize(
    ("row", "error", "says"),
    [
        ({"subject": 1, "name": "x"}, MissingAttributeError, "'code'"),
        ({"subject": 1, "code": None, "name": "x"}, MissingAttributeError, "'code'"),
        ({"subject": 1, "code": "a"}, InvalidRowsError, "nothing to change"),
        ({"subject": 9, "code": "a", "name": "x"}, MissingRowError, r"\(subject, code\)=\(9, a\)"),
        ({"subject": 1, "code": "a", "nme": "x"}, UnknownAttributeError, "Did you mean 'name'"),
        ({"subject": 1, "code": "a", "_job_version": "x"}, UnknownAttributeError, "_job_version"),
        ({"subject": 1, "code": "a", 5: "x"}, UnknownAttributeError, "5"),
        ({"subject": 1, "code": "a", "name": "far too long"}, DataTypeError, "'name'.*10 characters"),
        ({"subject": 1, "code": "a", "side": "up"}, DataTypeError, "'side'"),
        ({"subject": "one", "code": "a", "name": "x"}, DataTypeError, "'subject'"),
        ({"subject": 1, "code": "a", "image": "text"}, DataTypeError, "'image'"),
        ({"subject": 1, "code": "a", "species": "cat"}, IntegrityError, "#species.*does not exist"),
        ({"subject": 1, "code": "a", "name": "ben", "weight": 2.5}, DuplicateError, r"\(name, weight\)"),
        ([1, "a", "x"], InvalidArgumentError, "mapping"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_trace(
    subject: Any, row: Any, error: type[DjflowError], says: str
) -> None:
    before = subject.to_dicts()
    with subject.connection.transaction:
        with pytest.raises(error, match=says):
            subject.update1(row)
        assert subject.to_dicts() == before


def test_restricted_tables_are_refused(subject: Any) -> None:
    with pytest.raises(DjflowError, match="restricted"):
        (subject & {"subject": 1}).update1({"subject": 1, "code": "a", "name": "x"})


def test_objects_of_an_update_that_fails_are_removed(subject: Any, tmp_path: Path) -> None:
    for row in ({"subject": 9}, {"subject": 1, "species": "cat"}):
        with pytest.raises(DjflowError):
            subject.update1({"code": "a", "image": np.eye(2), **row})
    assert files(tmp_path) == 0

    def interrupted() -> None:
        with subject.connection.transaction:
            subject.update1({"subject": 1, "code": "a", "image": np.eye(2)})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interrupted()
    assert files(tmp_path) == 0
    subject.update1({"subject": 1, "code": "a", "image": np.eye(2)})
    assert files(tmp_path) == 1


def test_what_refers_to_the_row_stays(schema: Schema, subject: Any) -> None:
    Subject = type(subject)  # noqa: N806 - a class

    @schema
    class Session(dj.Manual):
        definition = "-> Subject"

    Session().insert1({"subject": 1, "code": "a"})
    subject.update1({"subject": 1, "code": "a", "name": "new"})
    assert len(Session() * subject & {"name": "new"}) == 1
    assert Subject.heading.primary_key == ("subject", "code")
