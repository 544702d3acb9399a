"""Keys that exist: refused, skipped, matched or updated, the same for every source."""

import pickle
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djflow as dj
from djflow.errors import (
    ConflictError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    InvalidArgumentError,
    MissingAttributeError,
)
from djflow.tables.schema import Schema

ROWS = [{"subject": 1, "name": "ann", "weight": 1.5}, {"subject": 2, "name": "ben", "weight": None}]


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(10)
        weight = null : float64
        seen = CURRENT_TIMESTAMP : datetime
        side = 'left' : enum('left', 'right')
        """

    Subject().insert([{**row, "side": "right"} for row in ROWS])
    return Subject()


def given_columns(table: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table.to_polars().select("subject", "name", "weight").to_dicts()
    return rows


# policies


def test_each_documented_flag_is_a_policy(subject: Any) -> None:
    changed = [{"subject": 1, "name": "new"}, {"subject": 3, "name": "cid"}]
    for error in ({}, {"on_conflict": "error"}, {"on_conflict": None}):
        with pytest.raises(DuplicateError):
            subject.insert(changed, **error)
    subject.insert(changed, on_conflict="skip")
    assert subject.to_arrays("name").tolist() == ["ann", "ben", "cid"]
    subject.insert(changed, on_conflict="update", replace=True)
    assert subject.to_arrays("name").tolist() == ["new", "ben", "cid"]
    subject.insert1({"subject": 1, "name": "again"}, on_conflict="update")
    assert subject.to_arrays("name").tolist() == ["again", "ben", "cid"]


@pytest.mark.parametrize(
    "options",
    [
        {"on_conflict": "error", "skip_duplicates": True},
        {"on_conflict": "match", "skip_duplicates": True},
        {"on_conflict": "skip", "replace": True},
        {"replace": True, "skip_duplicates": True},
    ],
)
def test_contradictions_are_refused(subject: Any, options: dict[str, Any]) -> None:
    with pytest.raises(DjflowError, match="Choose one of"):
        subject.insert(ROWS, **options)


@pytest.mark.parametrize("policy", ["udpate", "", 5, True])
def test_policies_that_do_not_exist_are_refused(subject: Any, policy: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="'error', 'skip', 'update', 'match'"):
        subject.insert(ROWS, on_conflict=policy)


def test_an_updated_row_is_the_row_that_an_insert_would_have_made(subject: Any) -> None:
    subject.insert([{"subject": 1, "name": "new"}, {"subject": 2, "name": "b", "side": None}], replace=True)
    assert subject.to_arrays("side").tolist() == ["left", "left"]
    assert given_columns(subject)[0] == {"subject": 1, "name": "new", "weight": None}


def test_policies_are_about_the_primary_key_only(schema: Schema) -> None:
    @schema
    class Rig(dj.Manual):
        definition = """
        rig : int32
        ---
        room : int32
        unique index (room)
        """

    Rig().insert([(1, 1), (2, 2)])
    moved = (Rig() & {"rig": 1}).proj("room", old="rig").proj("room", rig="old + 2")
    for policy in ("skip", "update", "match"):
        for source in ([(3, 1)], moved):
            with pytest.raises(DuplicateError, match=r"\(room\)=\(1\).*unique.*primary key only"):
                Rig().insert(source, on_conflict=policy, ignore_extra_fields=True)
    assert len(Rig()) == 2


def test_parents_must_exist_for_updated_rows_too(schema: Schema, subject: Any) -> None:
    Subject = type(subject)  # noqa: N806 - a class

    @schema
    class Session(dj.Manual):
        definition = """
        session : int32
        ---
        -> Subject
        """

    Session().insert1((1, 1))
    with pytest.raises(IntegrityError, match=r"\(subject\)=\(9\)"):
        Session().insert1((1, 9), on_conflict="update")
    Session().insert1((1, 2), on_conflict="update")
    assert Session().fetch1("subject") == 2
    assert Subject.heading.primary_key == ("subject",)


# match


def test_equal_rows_match_and_new_ones_go_in(subject: Any) -> None:
    subject.insert([*ROWS, {"subject": 3, "name": "cid", "weight": 0.5}], on_conflict="match")
    assert subject.to_arrays("name").tolist() == ["ann", "ben", "cid"]
    assert subject.to_arrays("side").tolist() == ["right", "right", "left"]
    subject.insert(pl.DataFrame({"subject": [1], "name": ["ann"]}), on_conflict="match")


def test_differences_are_listed_and_nothing_is_written(subject: Any) -> None:
    rows = [{"subject": 3, "name": "cid", "weight": 1.0}, {"subject": 2, "name": "bob", "weight": 2.5}]
    with pytest.raises(ConflictError, match=r"\(subject\)=\(2\) has name 'ben', given 'bob'") as caught:
        subject.insert([*rows, {"subject": 1, "name": "ann", "weight": 1.5}], on_conflict="match")
    expected = {
        "subject": [2, 2],
        "column": ["name", "weight"],
        "existing": ["ben", None],
        "given": ["bob", "2.5"],
    }
    assert caught.value.differences.equals(pl.DataFrame(expected, schema_overrides={"subject": pl.Int32}))
    assert isinstance(caught.value, DuplicateError)
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own bytes
    assert again.differences.equals(caught.value.differences)
    assert again.key == "(subject)=(2)"
    assert given_columns(subject) == ROWS


def test_given_rows_of_one_key_must_match_each_other(subject: Any) -> None:
    twice = [{"subject": 7, "name": "x"}, {"subject": 7, "name": "x"}]
    subject.insert(twice, on_conflict="match")
    with pytest.raises(ConflictError):
        subject.insert([{"subject": 8, "name": "x"}, {"subject": 8, "name": "y"}], on_conflict="match")
    assert len(subject) == 3


def test_a_thousand_differences_are_kept(schema: Schema) -> None:
    @schema
    class Well(dj.Manual):
        definition = """
        row : int16
        column : int16
        ---
        volume : float64
        """

    rows = pl.DataFrame({"row": [1] * 1500, "column": range(1500), "volume": [1.0] * 1500})
    Well().insert(rows)
    with pytest.raises(ConflictError, match="1000 of the rows already or more") as caught:
        Well().insert(rows.with_columns(volume=2.0), on_conflict="match")
    differences = caught.value.differences
    assert differences.columns == ["row", "column", "column_", "existing", "given"]
    assert differences["column"].to_list() == list(range(1000))


@pytest.fixture
def everything(schema: Schema) -> Any:
    @schema
    class Everything(dj.Manual):
        definition = """
        id : uuid
        ---
        ratio = null : float32
        price = null : decimal(6,2)
        code = null : char(4)
        seen = null : datetime(3)
        meta = null : json
        raw = null : bytes
        trace = null : <blob>
        kept = null : <blob@>
        image = null : <npy@>
        stack = null : <zarr@>
        """

    return Everything()


EQUAL: dict[str, tuple[Any, Any]] = {
    "ratio": (float("nan"), np.float32("nan")),
    "price": (1.005, "1.01"),
    "code": ("a", "a  "),
    "seen": ("2024-01-01 00:00:00.0004", "2024-01-01"),
    "meta": ({"a": 1, "b": [1.0]}, {"b": [1], "a": 1.0}),
    "raw": (b"\0x", bytearray(b"\0x")),
    "trace": (np.arange(3), np.arange(3)),
    "kept": ({"a": [1, "x"]}, {"a": [1, "x"]}),
    "image": (np.eye(2), np.eye(2)),
    "stack": (np.ones((2, 3)), np.ones((2, 3))),
}
OTHER: dict[str, Any] = {
    "ratio": 0.0,
    "price": 1.02,
    "code": "b",
    "seen": "2024-01-01 00:00:01",
    "meta": {"a": 1, "b": [1, 2]},
    "raw": b"\0",
    "trace": np.arange(4),
    "kept": {"a": [1, "y"]},
    "image": np.zeros((2, 2)),
    "stack": np.ones((3, 2)),
}
ID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def test_equality_is_that_of_what_is_stored(everything: Any) -> None:
    everything.insert1({"id": ID, **{name: one for name, (one, _) in EQUAL.items()}})
    everything.insert1(
        {"id": ID.upper(), **{name: other for name, (_, other) in EQUAL.items()}}, on_conflict="match"
    )
    for name, value in [*OTHER.items(), *((name, None) for name in OTHER)]:
        with pytest.raises(ConflictError) as caught:
            everything.insert1({"id": ID, name: value}, on_conflict="match")
        assert caught.value.differences["column"].to_list() == [name]
        assert caught.value.differences["id"].to_list() == [ID]
    assert len(everything) == 1


def test_queries_follow_the_same_policies(schema: Schema, subject: Any) -> None:
    @schema
    class Copy(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(10)
        weight = 7 : float64
        """

    copy: Any = Copy()
    source = subject.proj("name")
    copy.insert(source, on_conflict="match")
    copy.insert(source, on_conflict="match")
    assert copy.to_arrays("weight").tolist() == [7, 7]
    other = subject.proj(name="'x'")
    with pytest.raises(ConflictError, match="has name 'ann', given 'x'"):
        copy.insert(other, on_conflict="match")
    copy.insert(other, on_conflict="skip")
    assert copy.to_arrays("name").tolist() == ["ann", "ben"]
    copy.insert(other, on_conflict="update")
    assert copy.to_arrays("name").tolist() == ["x", "x"]
    same_key = subject.proj("name", number="subject").proj("name", subject="number * 0")
    for policy in ("skip", "update"):
        copy.insert(same_key, on_conflict=policy, ignore_extra_fields=True)
    assert len(copy) == 3
    for policy in ("skip", "update", "match"):
        with pytest.raises(MissingAttributeError, match="copy requires attribute 'weight'"):
            copy.insert(subject.proj("name", "weight"), on_conflict=policy)


def test_singletons_follow_the_same_policies(schema: Schema) -> None:
    @schema
    class Setting(dj.Manual):
        definition = """
        ---
        gain : int32
        """

    Setting().insert1((1,), on_conflict="match")
    Setting().insert1((1,), on_conflict="match")
    with pytest.raises(ConflictError):
        Setting().insert1((2,), on_conflict="match")
    Setting().insert([(2,), (3,)], on_conflict="update")
    Setting().insert1((4,), on_conflict="skip")
    assert Setting().fetch1("gain") == 3


# against a plain model of a table

KEYS = st.integers(0, 3)
CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["error", "skip", "update", "match"]),
        st.lists(st.tuples(KEYS, st.sampled_from("abc")), max_size=4),
        st.booleans(),
    ),
    max_size=6,
)


def expected(model: dict[int, str], policy: str, rows: list[tuple[int, str]]) -> dict[int, str] | None:
    """The table afterwards, or None where the policy refuses."""
    changed = dict(model)
    for key, name in rows:
        if key not in changed or policy == "update":
            changed[key] = name
        elif policy == "error" or (policy == "match" and changed[key] != name):
            return None
    return changed


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(changes=CHANGES)
def test_any_sequence_of_inserts_does_what_it_would_to_a_dict(
    subject: Any, changes: list[tuple[str, list[tuple[int, str]], bool]]
) -> None:
    subject.connection.query(f"TRUNCATE {subject.full_table_name}")
    model: dict[int, str] = {}
    for policy, rows, as_frame in changes:
        frame = pl.DataFrame(rows, {"subject": pl.Int64, "name": pl.String}, orient="row")
        after = expected(model, policy, rows)
        if after is None:
            with pytest.raises(DuplicateError):
                subject.insert(frame if as_frame else frame.to_dicts(), on_conflict=policy)
        else:
            subject.insert(frame if as_frame else frame.to_dicts(), on_conflict=policy)
            model = after
        assert dict(zip(*subject.to_arrays("subject", "name"), strict=True)) == model
