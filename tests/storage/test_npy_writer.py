"""Arrays of NumPy's format that are written in pieces are those that NumPy would have written."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import StorageError
from djflow.storage.npy_writer import NpyWriter
from djflow.storage.staging.growing_file import TemporaryFile

if TYPE_CHECKING:
    from pathlib import Path

DTYPES = ["u1", ">i4", "f8", "?", "c16", "M8[ms]", "U3", [("a", "i4"), ("b", "f8", (2,))]]


def saved(array: np.ndarray[Any, Any]) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 3), max_size=5), st.sampled_from([(), (2,), (2, 0)]))
def test_appended_rows_make_the_same_file(dtype: Any, sizes: list[int], rest: tuple[int, ...]) -> None:
    whole = np.zeros((sum(sizes), *rest), dtype)
    if whole.size and whole.dtype.kind in "uifc":
        whole[...] = np.arange(whole.size).reshape(whole.shape)
    file = TemporaryFile()
    try:
        writer = NpyWriter(file, (None, *rest), whole.dtype)
        at = 0
        for size in sizes:
            writer.append(whole[at : at + size])
            at += size
        writer.finish()
        assert file.place.read_bytes() == saved(whole)
    finally:
        file.abandon()


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5), st.integers(0, 9)), max_size=6))
def test_assigned_rows_make_the_same_file(writes: list[tuple[int, int, int]]) -> None:
    whole = np.zeros((4, 3), "i2")
    file = TemporaryFile()
    try:
        writer = NpyWriter(file, whole.shape, whole.dtype)
        for start, stop, value in writes:
            whole[start:stop] = value
            writer[start:stop] = value
        writer.finish()
        assert file.place.read_bytes() == saved(whole)
    finally:
        file.abandon()


@pytest.mark.parametrize("shape", [(), (2, None), (None, None)])
def test_only_the_first_extent_may_be_open(shape: tuple[int | None, ...]) -> None:
    file = TemporaryFile()
    with pytest.raises(StorageError, match="first"):
        NpyWriter(file, shape, np.dtype("u1"))
    file.abandon()


def test_an_abandoned_file_is_gone() -> None:
    file = TemporaryFile()
    folder: Path = file.place.parent
    NpyWriter(file, (None,), np.dtype("u1")).append([1, 2])
    file.abandon()
    assert not folder.exists()
