"""What a staged insert refuses: objects that are complete, other places, arrays that no insert would take."""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from djflow.errors import StorageError
from djflow.tables.tiers import Manual


def _write_array(staged: Any) -> Callable[[], None]:
    array = staged.zarr("movie", shape=(2,), dtype="u1")
    return lambda: array.__setitem__(0, 1)


def _write_group(staged: Any) -> Callable[[], None]:
    group = staged.zarr("movie")
    group.create_array("old", shape=(2,), dtype="u1")
    return lambda: group.create_array("new", shape=(2,), dtype="u1")


def _write_rows(staged: Any) -> Callable[[], None]:
    array = staged.npy("trace", shape=(2,), dtype="u1")
    return lambda: array.__setitem__(0, 1)


def _write_frame(staged: Any) -> Callable[[], None]:
    frame = staged.frames("spikes")
    frame.append(pl.DataFrame({"x": [1]}))
    return lambda: frame.append(pl.DataFrame({"x": [2]}))


def _write_folder(staged: Any) -> Callable[[], None]:
    files = staged.store("raw")
    files["a"] = b"1"
    return lambda: files.__setitem__("b", b"2")


@pytest.mark.parametrize("write", [_write_array, _write_group, _write_rows, _write_frame, _write_folder])
def test_nothing_is_written_to_a_staged_object_after_its_block(
    recording: Manual, write: Callable[[Any], Callable[[], None]]
) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        late = write(staged)

    with pytest.raises(StorageError, match="block of its insert has ended"):
        late()
    assert recording.verify().is_empty()


@pytest.mark.parametrize("name", ["../beside", "/absolute", "a/../../beside", ""])
def test_a_staged_folder_takes_no_files_beside_it(recording: Manual, name: str) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        files = staged.store("raw", ".zarr")
        files["inside"] = b"1"
        with pytest.raises(StorageError, match="no path in a store"):
            files[name] = b"2"
    assert recording.fetch1("raw").listdir() == ["inside"]


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": "M8[ns]"},
        {"dtype": "V4"},
        {"dtype": "u1", "name": "below"},
        {"dtype": "u1", "overwrite": True},
    ],
)
@pytest.mark.filterwarnings("ignore:The data type")
def test_staged_arrays_are_what_inserted_ones_are(recording: Manual, options: dict[str, Any]) -> None:
    message = r"numbers and booleans|takes no"
    with pytest.raises(StorageError, match=message), recording.staged_insert1 as staged:
        _begin_array(staged, options)
    assert not len(recording)


def _begin_array(staged: Any, options: dict[str, Any]) -> None:
    staged.rec["recording"] = 1
    staged.zarr("movie", shape=(2,), **options)


def test_a_staged_array_may_begin_with_data(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array: Any = staged.zarr("movie", data=np.arange(3))
        array.append([3, 4])
    assert recording.fetch1("movie")[:].tolist() == [0, 1, 2, 3, 4]
    assert recording.verify().is_empty()


def test_a_staged_object_is_begun_once(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        movie = staged.zarr("movie", shape=(2,), dtype="u1")
        assert staged.zarr("movie", shape=(2,), dtype="u1") is staged.zarr("movie") is movie
        with pytest.raises(StorageError, match="with another shape"):
            staged.zarr("movie", shape=(3,), dtype="u1")
        staged.npy("trace", shape=(2,), dtype="u1")
        with pytest.raises(StorageError, match="with another shape"):
            staged.npy("trace", shape=(2,), dtype="f4")


def test_a_staged_array_has_no_negative_extent(recording: Manual) -> None:
    with pytest.raises(StorageError, match="at least 0"), recording.staged_insert1 as staged:
        _begin_negative(staged)
    assert not len(recording)


def _begin_negative(staged: Any) -> None:
    staged.rec["recording"] = 1
    staged.npy("trace", shape=(-5, 3), dtype="u1")


def test_no_mask_of_staged_rows_is_lost(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array = staged.npy("trace", shape=(2,), dtype="i8")
        masked = np.ma.masked_array([1, 2], mask=[False, True])
        with pytest.raises(StorageError, match="mask of an array is not kept"):
            array.append(masked)
        with pytest.raises(StorageError, match="mask of an array is not kept"):
            array[0:2] = masked
