"""Values that other engines cannot store or find again are values like others."""

import uuid
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow.errors import DataTypeError
from djflow.tables.schema import Schema


def test_uuids_go_in_come_out_and_restrict(animal: Any) -> None:
    value = uuid.uuid4()
    animal.insert1({"animal": 9, "name": "x", "uid": value})
    assert (animal & {"uid": value}).fetch1("uid") == value
    assert (animal & f"uid = '{value}'").fetch1("animal") == 9


def test_nan_from_numpy_is_a_value(animal: Any) -> None:
    animal.insert1({"animal": 9, "name": "x", "length": np.nan})
    assert np.isnan((animal & {"animal": 9}).fetch1("length"))
    assert (animal & {"animal": 9}).to_polars()["length"].is_nan().all()


def test_integers_are_accepted_as_truth_values(animal: Any) -> None:
    animal.insert([{"animal": 9, "name": "x", "alive": 0}, {"animal": 10, "name": "y", "alive": np.int64(1)}])
    assert (animal & "animal > 8").to_arrays("alive").tolist() == [False, True]
    assert len(animal & {"alive": 0}) == len(animal & "NOT alive") == 1


def test_store_columns_need_no_named_store(schema: Schema) -> None:
    @schema
    class Image(dj.Manual):
        definition = """
        image : int32
        ---
        pixels : <npy@>
        notes : <blob@>
        """

    Image().insert1((1, np.eye(2), {"by": "ann"}))
    row = Image().fetch1()
    assert row["pixels"].load().tolist() == [[1, 0], [0, 1]]
    assert row["notes"] == {"by": "ann"}


def test_replacing_overwrites(animal: Any) -> None:
    animal.insert1({"animal": 1, "name": "new"}, replace=True)
    assert (animal & {"animal": 1}).fetch1("name") == "new"
    assert len(animal) == 6
    animal.insert([{"animal": 1, "name": "newer"}, {"animal": 9, "name": "it's \\"}], replace=True)
    assert (animal & "animal IN (1, 9)").to_arrays("name").tolist() == ["newer", "it's \\"]


def test_uuids_are_updated_and_deleted(animal: Any) -> None:
    value, other = uuid.uuid4(), uuid.uuid4()
    animal.insert1({"animal": 9, "name": "x", "uid": value})
    animal.update1({"animal": 9, "uid": other})
    assert len(animal & {"uid": value}) == 0
    assert (animal & {"uid": other}).delete(prompt=False) == 1
    assert len(animal) == 6


def test_uuids_are_keys_that_cascade(schema: Schema) -> None:
    @schema
    class Scan(dj.Manual):
        definition = """
        scan : uuid
        ---
        note = null : varchar(20)
        """

        class Slice(dj.Part):
            definition = """
            -> master
            slice : int16
            """

    scans = [uuid.uuid4() for _ in range(3)]
    Scan().insert([(scan, None) for scan in scans])
    Scan.Slice().insert([(scan, n) for scan in scans for n in range(2)])
    Scan().update1({"scan": scans[1], "note": "good"})
    assert (Scan() & {"note": "good"}).fetch1("scan") == scans[1]
    assert (Scan() & {"scan": scans[1]}).delete(prompt=False) == 1
    assert {row["scan"] for row in Scan.Slice().to_dicts()} == {scans[0], scans[2]}


def test_nan_is_a_value_to_update_to(animal: Any) -> None:
    animal.update1({"animal": 2, "length": np.float32("nan")})
    assert np.isnan((animal & {"animal": 2}).fetch1("length"))
    animal.update1({"animal": 2, "length": float("inf")})
    assert (animal & {"animal": 2}).fetch1("length") == np.inf
    with pytest.raises(DataTypeError, match="weight"):
        animal.update1({"animal": 2, "weight": np.inf})


def test_objects_without_a_named_store_are_updated_and_deleted(schema: Schema) -> None:
    @schema
    class Image(dj.Manual):
        definition = """
        image : int32
        ---
        pixels : <npy@>
        """

    Image().insert([(n, np.full(2, n)) for n in range(2)])
    Image().update1({"image": 0, "pixels": np.arange(5)})
    assert [row["pixels"].load().tolist() for row in Image().to_dicts()] == [[0, 1, 2, 3, 4], [1, 1]]
    assert Image().delete(prompt=False) == 2
