"""Arrays and frames that grow in a staged insert."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pickle import dumps, loads
from typing import Any

import dask.array as da
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import zarr
from tests.tables.staged.test_staging import recorded, stored

from djflow.errors import RegionError, StorageError, StoreFullError
from djflow.storage.store import Store
from djflow.tables.tiers import Manual

BLOCKS = [np.arange(12, dtype="u2").reshape(2, 2, 3) + 100 * i for i in range(3)]
WHOLE = np.concatenate(BLOCKS)


def values(array: Any) -> list[Any]:
    found: list[Any] = np.asarray(array[...]).tolist()
    return found


def test_an_array_of_zarr_grows(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array: Any = staged.zarr("movie", shape=(0, 2, 3), dtype="u2", attributes={"rate": 30})
        for block in BLOCKS:
            array.append(block)
        array.attrs["unit"] = "mV"

    found = recording.fetch1("movie")
    assert (found.shape, found.dtype) == ((6, 2, 3), np.dtype("u2"))
    assert dict(found.attrs) == {"rate": 30, "unit": "mV"}
    assert values(found) == WHOLE.tolist()
    assert recording.verify().is_empty()


@pytest.mark.parametrize("shards", [None, (4, 4)])
def test_what_was_never_written_holds_the_fill_value(
    recording: Manual, shards: tuple[int, int] | None
) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array: Any = staged.zarr(
            "movie", shape=(10, 5), dtype="f4", chunks=(2, 2), shards=shards, fill_value=7
        )
        array[2:5, 1] = 1
        array.resize((7, 5))

    expected = np.full((7, 5), 7.0)
    expected[2:5, 1] = 1
    assert values(recording.fetch1("movie")) == expected.tolist()
    assert recording.verify().is_empty()


def test_a_group_of_zarr_grows(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        group: Any = staged.zarr("movie", attributes={"rate": 30})
        group.create_array("times", shape=(0,), dtype="f8", chunks=(4,)).append(np.arange(6.0))
        group.create_array("inner/empty", shape=(3,), dtype="i4")
        group.create_array("mistake", shape=(3,), dtype="i4")[:] = 1
        del group["mistake"]

    found = recording.fetch1("movie")
    assert dict(found.attrs) == {"rate": 30}
    assert (sorted(found.keys()), values(found["times"])) == (["inner", "times"], list(range(6)))
    assert values(found["inner/empty"]) == [0, 0, 0]
    assert recording.verify().is_empty()


def test_threads_write_whole_chunks_only(recording: Manual) -> None:
    with recording.staged_insert1 as staged, ThreadPoolExecutor(4) as threads:
        staged.rec["recording"] = 1
        array: Any = staged.zarr("movie", shape=(10, 4), dtype="i4", chunks=(3, 4))

        def write(start: int) -> None:
            array[start : start + 3] = start

        list(threads.map(write, range(0, 10, 3)))
        with pytest.raises(RegionError, match=r"\[1:4, 0:4\].*\(3, 4\).*\[0:6, 0:4\]"):
            threads.submit(write, 1).result()
        with pytest.raises(StorageError, match="no region"):
            threads.submit(array.__setitem__, slice(None, None, 2), 1).result()
        with pytest.raises(StorageError, match=r"append\(\) .* the thread that began it"):
            threads.submit(array.append, np.zeros((1, 4), "i4")).result()
        array.oindex[[9], [1]] = 7
        array[9, 0] = 8  # the thread that began it writes as it likes

    assert [row[0] for row in values(recording.fetch1("movie"))] == [0, 0, 0, 3, 3, 3, 6, 6, 6, 8]
    assert recording.verify().is_empty()


def test_dask_stores_into_an_array_by_whole_chunks(recording: Manual) -> None:
    source = da.arange(20, chunks=5)
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array: Any = staged.zarr("movie", shape=(20,), dtype="i8", chunks=(4,))
        with pytest.raises(RegionError):
            source.store(array, lock=False)
        source.rechunk(8).store(array, lock=False)

    assert values(recording.fetch1("movie")) == list(range(20))
    assert recording.verify().is_empty()


def test_an_array_of_npy_grows(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array = staged.npy("trace", dtype="u2", shape=(None, 2, 3))
        for block in BLOCKS:
            array.append(block)
        array[0] = 7
        with pytest.raises(StorageError, match=r"rows of shape \(n, 2, 3\), not \(2,\)"):
            array.append(np.zeros(2, "u2"))
        with pytest.raises(StorageError, match="uint16, to which float64"):
            array.append(np.zeros((1, 2, 3)))

    found = recording.fetch1("trace")
    assert (found.shape, found.dtype) == ((6, 2, 3), np.dtype("u2"))
    assert found.load()[0].tolist() == [[7] * 3] * 2
    assert found.load()[1:].tolist() == WHOLE[1:].tolist()
    assert recording.verify().is_empty()


def test_an_array_of_npy_is_written_by_rows(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array = staged.npy("trace", dtype="f8", shape=(5, 2))
        array[3:5] = [[1, 2], [3, 4]]
        array[-5] = 9
        with pytest.raises(StorageError, match="no row 5"):
            array[5] = 1
        with pytest.raises(StorageError, match="no room"):
            array.append(np.zeros((6, 2)))

    assert recording.fetch1("trace").load().tolist() == [[9, 9], [0, 0], [0, 0], [1, 2], [3, 4]]
    assert recording.verify().is_empty()


@pytest.mark.parametrize("attribute", ["spikes", "events"])
def test_a_frame_grows(recording: Manual, attribute: str) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        frame = staged.frames(attribute)
        frame.append(pl.DataFrame({"unit": [1, 2], "time": [0.5, 1.5]}))
        frame.append(pa.table({"unit": pa.array([3], pa.int32()), "time": [2.5]}))
        with pytest.raises(StorageError, match="do not fit"):
            frame.append(pl.DataFrame({"unit": [1]}))

    found = recording.fetch1(attribute)
    assert found.to_polars().rows() == [(1, 0.5), (2, 1.5), (3, 2.5)]
    assert found.shape == (3, 2)
    assert recording.verify().is_empty()


def test_an_empty_frame_has_its_schema(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        staged.frames("spikes", pa.schema([("unit", pa.int64())]))
    assert recording.fetch1("spikes").to_polars().schema == {"unit": pl.Int64}

    with pytest.raises(StorageError, match="Nothing was written"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 2
        staged.frames("spikes")


def test_several_objects_belong_to_one_row(recording: Manual, store: Store) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array: Any = staged.zarr("movie", shape=(3,), dtype="i4")
        array[:] = 1
        staged.npy("trace", dtype="i4", shape=(None,)).append(np.arange(2))
        with staged.open("raw", ".txt", "w") as file:
            file.write("text")
        staged.rec["value"] = {"a": 1}

    assert values(recording.fetch1("movie")) == [1, 1, 1]
    assert recording.fetch1("raw").read() == b"text"
    assert recording.verify().is_empty()
    with pytest.raises(RuntimeError), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 2
        before = {file.path for file in store.list("")}
        staged.zarr("movie", shape=(3,), dtype="i4")
        staged.npy("trace", dtype="i4", shape=(2,))
        raise RuntimeError
    assert {file.path for file in store.list("")} == before


def test_what_was_sent_away_stays_recorded_after_a_failure(recording: Manual, store: Store) -> None:
    with pytest.raises(RuntimeError), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        writer = loads(dumps(staged.zarr("movie", shape=(3,), dtype="i4")))  # noqa: S301 - our own bytes
        assert "movie" in repr(writer)
        raise RuntimeError

    assert (stored(store), len(recorded(recording))) == (set(), 1)


def test_a_group_does_not_travel(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        group = staged.zarr("movie")
        assert isinstance(group, zarr.Group)
        with pytest.raises(StorageError, match="by itself"):
            dumps(group)


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of processes")
def test_a_full_disk_is_told_and_leaves_nothing(recording: Manual, store: Store) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(StoreFullError), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        array = staged.npy("trace", dtype="u1", shape=(None,))
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
        try:
            array.append(np.zeros(1 << 20, "u1"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert (stored(store), recorded(recording), len(recording)) == (set(), set(), 0)
