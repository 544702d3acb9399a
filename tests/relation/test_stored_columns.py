"""A column of stored objects at once: `frame["trace"].dj`."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zarr

import djflow as dj
from djflow.configuration import changed
from djflow.errors import (
    ConfigError,
    CorruptObjectError,
    DataTypeError,
    DjflowError,
    InvalidArgumentError,
    StorageError,
)
from djflow.relation.database import Database
from djflow.storage.codecs import NpyRef

FRAME = pl.DataFrame({"n": [1, 2]})


def array(row: int, dtype: str = "f4") -> np.ndarray[Any, Any]:
    return np.full((3, 2), row, dtype)


@pytest.fixture
def item(schema: dj.Schema, tmp_path: Path) -> Any:
    @schema
    class Item(dj.Manual):
        definition = """
        item : int32
        ---
        npy = null : <npy@>
        zarr = null : <zarr@>
        frame = null : <parquet@>
        file = null : <object@>
        """

    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "a").write_bytes(b"1")
    full = [
        {"item": i, "npy": array(i), "zarr": array(i), "frame": FRAME, "file": b"%d" % i} for i in range(3)
    ]
    group = {"a": array(7), "b": {"c": np.arange(2)}}
    Item().insert([*full, {"item": 3}, {"item": 4, "zarr": group, "file": tmp_path / "top"}])
    return Item


def column(item: Any, name: str, restriction: str = "item < 4") -> Any:
    return (item() & restriction).to_polars()[name].dj


def file_of(handle: Any) -> Path:
    return Path(handle.full_path)


def test_values_come_in_order_and_nulls_stay_none(item: Any, database: Database) -> None:
    for name, check in (
        ("npy", lambda value, row: np.array_equal(value, array(row))),
        ("zarr", lambda value, row: np.array_equal(value, array(row))),
        ("frame", lambda value, _row: value.equals(FRAME)),
        ("file", lambda value, row: value == b"%d" % row),
    ):
        for values in (
            column(item, name).load(connection=database),
            list(column(item, name).iter(memory=30, connection=database, threads=2)),
        ):
            assert values[3] is None
            assert all(check(value, row) for row, value in enumerate(values[:3]))


def test_arrays_become_one(item: Any, database: Database) -> None:
    expected = np.stack([array(row) for row in range(3)])
    for name in ("npy", "zarr"):
        stacked = column(item, name, "item < 3").to_numpy(connection=database)
        assert stacked.dtype == np.float32
        assert np.array_equal(stacked, expected)
    assert column(item, "npy", "item > 99").to_numpy(connection=database).shape == (0,)


def test_what_cannot_be_one_array_is_refused_with_the_reason(item: Any, database: Database) -> None:
    item().insert1({"item": 9, "npy": array(9, "f8")})
    for name, restriction, reason in (
        ("npy", "item in (0, 9)", "differ in type or shape"),
        ("npy", "item in (0, 3)", "Row 1 of the column is null"),
        ("zarr", "item = 4", "no array but"),
        ("file", "item = 0", "no array but"),
    ):
        with pytest.raises(StorageError, match=reason):
            column(item, name, restriction).to_numpy(connection=database)


def test_lazy_references_are_those_of_fetch1(item: Any, database: Database) -> None:
    frame = item().to_polars()
    for name in ("npy", "zarr", "frame", "file"):
        opened = frame[name].dj.open(connection=database)
        for row, handle in zip(frame["item"], opened, strict=True):
            told = (item() & {"item": row}).fetch1(name)
            assert type(handle) is type(told)
            if told is not None:
                assert handle.full_path == told.full_path
                assert handle.verify()
    assert np.array_equal(frame["npy"].dj.open(connection=database)[1] + 1, array(2))


def test_a_group_is_a_dict_of_arrays(item: Any, database: Database) -> None:
    (found,) = column(item, "zarr", "item = 4").load(connection=database)
    assert np.array_equal(found["a"], array(7))
    assert found["b"]["c"].tolist() == [0, 1]
    (opened,) = column(item, "zarr", "item = 4").open(connection=database)
    assert isinstance(opened, zarr.Group)


def test_memory_is_told_by_the_rows_and_bounds_what_is_loaded(item: Any, database: Database) -> None:
    assert column(item, "npy").nbytes == column(item, "zarr").nbytes == 3 * 24
    assert column(item, "file").nbytes == 3
    assert repr(column(item, "npy")) == "StoredColumn(4 rows, 72 bytes)"
    file_of(item().to_arrays("npy")[0]).unlink()
    with pytest.raises(StorageError, match="72 bytes, more than 71 B") as caught:
        column(item, "npy").load(memory="71 B", connection=database)
    assert "iter()" in "".join(caught.value.__notes__)


def test_lazy_references_are_loaded_together_and_not_kept(item: Any) -> None:
    refs = (item() & "item < 4").to_arrays("npy")
    whole = dj.StoredColumn(refs)
    assert np.array_equal(whole.load()[2], array(2))
    assert whole.nbytes == 72
    assert np.array_equal(dj.StoredColumn(refs[:3]).to_numpy()[:, 0, 0], [0, 1, 2])
    assert not any(ref.is_loaded for ref in refs[:3])
    assert whole.open()[0] is refs[0]
    values = dj.StoredColumn([row["zarr"] for row in (item() & "item < 3").to_dicts()]).iter()
    assert [value[0, 0] for value in values] == [0, 1, 2]


@pytest.mark.parametrize("use", ["load", "iter", "to_numpy", "verify"])
def test_no_threads_read_nothing(use: str, item: Any) -> None:
    refs = dj.StoredColumn((item() & "item < 3").to_arrays("npy"))
    with pytest.raises(InvalidArgumentError, match="threads=0"):
        getattr(refs, use)(threads=0)
    assert list(getattr(refs, use)(threads=1)) is not None


def test_columns_of_arrow_are_taken_too(item: Any, database: Database) -> None:
    table = (item() & "item < 3").to_arrow()
    assert np.array_equal(dj.StoredColumn(table["npy"]).to_numpy(connection=database)[1], array(1))
    assert len(dj.StoredColumn(table["npy"].combine_chunks())) == 3


def test_problems_are_told_with_their_rows(item: Any, database: Database) -> None:
    first, second, _ = (item() & "item < 3").to_arrays("npy")
    file_of(first).unlink()
    content = file_of(second).read_bytes()
    file_of(second).write_bytes(content[:-1] + b"\1")
    for whole in (column(item, "npy"), dj.StoredColumn((item() & "item < 4").to_arrays("npy"))):
        found = whole.verify(connection=database)
        assert found.select("row", "store", "path", "problem").rows() == [
            (0, "local", first.path, "missing"),
            (1, "local", second.path, "corrupt"),
        ]
    assert column(item, "zarr").verify(connection=database).is_empty()


def test_a_reference_that_tells_less_is_completed_from_its_object(item: Any, database: Database) -> None:
    frame = (item() & "item < 3").to_polars()
    for name in ("npy", "frame", "file"):
        bare = frame.select(pl.struct(pl.col(name).struct.field("store", "path")).alias(name))[name]
        (handle, *_) = bare.dj.open(connection=database)
        told = (item() & "item = 0").fetch1(name)
        assert (type(handle), handle.path) == (type(told), told.path)
    bare = frame.select(pl.struct(pl.col("npy").struct.field("store", "path")).alias("npy"))["npy"]
    assert np.array_equal(bare.dj.to_numpy(connection=database)[2], array(2))
    shape = bare.dj.open(connection=database)[0].shape
    assert shape == (3, 2)


def test_files_of_a_known_kind_open_as_their_kind_wherever_they_came_from(
    item: Any, database: Database, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", array(5))
    FRAME.write_parquet(tmp_path / "a.parquet")
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros(5), chunks=(2,))  # leaves out its chunks
    names = ("a.npy", "a.parquet", "a.zarr")
    item().insert([{"item": 20 + i, "file": tmp_path / name} for i, name in enumerate(names)])
    one, two, three = column(item, "file", "item >= 20").open(connection=database)
    assert isinstance(one, NpyRef)
    assert np.array_equal(one, array(5))
    assert (two.columns, two.shape, two.to_polars().equals(FRAME)) == (["n"], (2, 1), True)
    assert isinstance(three, dj.ObjectRef)
    assert three.is_dir
    found: Any = zarr.open_array(three.fsmap, mode="r")
    assert found[:].tolist() == [0] * 5


def test_damaged_references_are_typed_errors(item: Any, database: Database) -> None:
    series = column(item, "npy", "item = 0")
    (handle,) = series.open(connection=database)
    file_of(handle).write_bytes(b"no array")
    with pytest.raises(CorruptObjectError, match="Not the array"):
        series.load(connection=database)
    bad = pl.Series([{"store": "local", "path": handle.path, "dtype": "no type", "shape": [1]}])
    with pytest.raises(CorruptObjectError, match="cannot be opened"):
        dj.StoredColumn(bad).load(connection=database)
    outside = pl.Series([{"store": "local", "path": "../a.npy", "dtype": "f8", "shape": [1]}])
    with pytest.raises(StorageError, match="no path in a store"):
        dj.StoredColumn(outside).load(connection=database)


@pytest.mark.parametrize(
    "bad", [pl.Series("x", [1]), pl.Series("x", [{"path": "a"}]), [np.zeros(2)], np.zeros(3)]
)
def test_values_that_refer_to_nothing_are_refused(bad: Any) -> None:
    with pytest.raises(DataTypeError, match="a store column"):
        dj.StoredColumn(bad)


def test_an_unknown_store_or_none_at_all_is_told(database: Database) -> None:
    elsewhere = pl.Series([{"store": "nowhere_at_all", "path": "a.npy"}])
    with pytest.raises(ConfigError, match="nowhere_at_all"):
        dj.StoredColumn(elsewhere).load(connection=database)
    with pytest.raises(DjflowError, match="No database of this process") as caught:
        dj.StoredColumn(elsewhere).load()
    assert "connection=" in "".join(caught.value.__notes__)
    assert dj.StoredColumn(pl.Series([None], dtype=elsewhere.dtype)).load() == [None]


def test_the_database_that_gave_a_column_is_meant(
    database: Database, schema_name: str, tmp_path: Path
) -> None:
    name = f"store_of_{schema_name}"
    store = {"protocol": "file", "location": str(tmp_path / "named")}
    settings = changed(database.settings, {"stores": {"default": name, name: store}})
    own = Database(lambda: settings)

    @dj.Schema(schema_name, connection=own)
    class Item(dj.Manual):
        definition = """
        item : int32
        ---
        value : <npy@>
        """

    Item().insert1((1, array(1)))
    series: Any = Item().to_polars()["value"]
    assert np.array_equal(series.dj.load()[0], array(1))

    moved = changed(settings, {"stores": {"default": name, name: store | {"location": str(tmp_path)}}})
    other = Database(lambda: moved)
    assert dj.FreeTable(other, f"{schema_name}.item").to_polars().height == 1
    with pytest.raises(DjflowError, match="Several databases"):
        series.dj.load()
    own.close()
    other.close()


def test_importing_djflow_imports_no_polars_and_the_first_store_column_brings_the_namespace() -> None:
    script = """
import sys, djflow
assert "polars" not in sys.modules
import polars
assert not hasattr(polars.Series([1]), "dj")
assert djflow.StoredColumn is not None
assert "dj" in dir(polars.Series([1]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
