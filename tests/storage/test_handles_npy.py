"""Reading `.npy` files: whole, into place, and by ranges of rows."""

import pickle
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import CorruptObjectError, MissingExternalFile, StorageError
from djflow.storage.codecs import NpyRef
from djflow.storage.handles.checksums import checksum
from djflow.storage.handles.npy_file import leading_rows, read_header
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.stores import MemoryStore

LARGE = np.arange(1 << 18, dtype="f8").reshape(1 << 12, 1 << 6)  # 2 MiB


@dataclass(frozen=True, slots=True)
class CountingStore(MemoryStore):
    """A remote store that counts the bytes that are read from files that it opened."""

    counts: list[int] = field(default_factory=list)

    def open(self, path: str) -> BinaryIO:
        return _Counting(self.get(path), self.counts)


class _Counting(BytesIO):
    def __init__(self, content: bytes, counts: list[int]) -> None:
        super().__init__(content)
        self._counts = counts

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        self._counts.append(len(found))
        return found

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        self._counts.append(count)
        return count


def put(store: Store, array: np.ndarray[Any, Any], path: str = "a.npy") -> NpyRef:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    store.put(path, file.getvalue())
    size = len(file.getvalue())
    return NpyRef(store, path, array.dtype, array.shape, file_size=size, checksum=checksum(file.getvalue()))


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(7),
        np.empty((0, 3), "i2"),
        np.array(["2024-01-01", "NaT"], "M8[D]"),
        np.array([(1, 2.5)], [("a", "<i4"), ("ü", ">f8")]),
        np.array(["text", "ü"]),
        np.arange(4, dtype=">i4"),
        np.zeros(3, "S0"),
    ],
)
def test_what_numpy_saves_is_read_as_it_was(array: np.ndarray[Any, Any], tmp_path: Path) -> None:
    stores: tuple[Store, ...] = (MemoryStore(), LocalStore(tmp_path))
    for store in stores:
        ref = put(store, array)
        found = ref.read()
        assert (found.dtype, found.shape, found.flags.writeable) == (array.dtype, array.shape, True)
        np.testing.assert_array_equal(found, array)
        assert not ref.is_loaded
        target = np.empty_like(array, order="C")
        ref.read_into(target)
        np.testing.assert_array_equal(target, array)


def test_a_large_array_is_read_in_pieces_into_its_place() -> None:
    store, array = CountingStore(), np.arange(20 << 20, dtype="u1").reshape(5, -1)
    target = np.zeros((2, *array.shape), "u1")
    ref = put(store, array)
    ref.read_into(target[1])
    assert np.array_equal(target[1], array)
    assert not target[0].any()
    assert np.array_equal(put(store, np.asfortranarray(array)).read(), array)
    store.put("a.npy", store.files["a.npy"][:-1])
    with pytest.raises(CorruptObjectError, match="ends after"):
        ref.read()


@given(
    st.integers(0, 7),
    st.one_of(
        st.integers(-9, 9),
        st.slices(7),
        st.just(slice(None, None, -1)),
        st.none(),
        st.just(...),
        st.booleans(),
    ),
    st.sampled_from([(), (0,), (slice(1, None),), (..., None), (None,)]),
)
def test_a_leading_index_into_its_rows_gives_what_it_gives_of_all(
    length: int, first: Any, rest: tuple[Any, ...]
) -> None:
    array, index = np.arange(length * 3).reshape(length, 3), (first, *rest)
    try:
        expected = array[index]
    except IndexError:
        expected = None
    try:
        found = leading_rows(index, length)
    except IndexError:
        assert expected is None
        return
    if found is not None and expected is not None:
        rows, inner = found
        np.testing.assert_array_equal(array[rows.start : rows.stop][inner], expected)
        assert len(rows) <= length


@pytest.mark.parametrize("index", [5, -1, slice(100, 103), (slice(7, 90, 5), 3), np.int64(9), slice(9, 9)])
def test_an_index_into_a_large_remote_array_reads_only_its_rows(index: Any) -> None:
    store = CountingStore()
    ref = put(store, LARGE)
    found = ref[index]
    assert type(found) is type(LARGE[index])
    np.testing.assert_array_equal(found, LARGE[index])
    assert not ref.is_loaded
    assert sum(store.counts) < 64_000


@pytest.mark.parametrize("index", [slice(None, None, -7), (Ellipsis, 0), [1, 2], slice(None), None])
def test_any_other_index_into_a_remote_array_loads_it_once(index: Any) -> None:
    store = CountingStore()
    ref = put(store, LARGE)
    np.testing.assert_array_equal(ref[index], LARGE[index])
    assert ref.is_loaded
    assert np.array_equal(ref[3], LARGE[3])
    assert len(store.reads) == 1


def test_columns_that_lie_together_are_read_as_a_whole() -> None:
    ref = put(MemoryStore(), np.asfortranarray(LARGE))
    assert np.array_equal(ref[5:7], LARGE[5:7])
    assert ref.is_loaded


def test_a_row_out_of_bounds_reads_nothing() -> None:
    store = CountingStore()
    ref = put(store, LARGE)
    with pytest.raises(IndexError, match="out of bounds for axis 0"):
        ref[len(LARGE)]
    assert store.reads == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"no array at all, but long enough",
        b"\x93NUMPY\x01\x00\xff\xff" + b" " * 70_000,
        b"\x93NUMPY\x01\x00\x04\x00{}  ",
        b"\x93NUMPY\x01\x00\x02\x00((" + b" ",
        b"\x93NUMPY\x03\x00\x02\x00\x00\x00\xff\xff",
    ],
)
def test_a_file_that_is_no_array_is_refused(content: bytes) -> None:
    store = MemoryStore()
    store.put("a.npy", content)
    with pytest.raises((ValueError, EOFError)):
        read_header(BytesIO(content))
    for shape in ((3,), (1 << 20,)):
        ref = NpyRef(store, "a.npy", np.dtype("f8"), shape)
        with pytest.raises(CorruptObjectError, match="Not the array"):
            ref.read()
        with pytest.raises(CorruptObjectError, match="Not the array"):
            ref[0]


def test_a_truncated_or_another_array_is_refused() -> None:
    store = MemoryStore()
    ref = put(store, LARGE)
    store.put("a.npy", store.files["a.npy"][:-1])
    assert np.array_equal(ref[0], LARGE[0])
    for read in (ref.load, lambda: ref[-1]):
        with pytest.raises(CorruptObjectError, match="ends after"):
            read()
    with pytest.raises(CorruptObjectError, match="bytes"):
        ref.verify()
    put(store, LARGE.astype("f4"))
    with pytest.raises(CorruptObjectError, match="the row says"):
        ref[0]


def test_a_handle_opens_copies_and_verifies_its_file(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store", "main")
    ref = put(store, np.arange(3))
    with ref.open() as file:
        assert np.array_equal(np.load(file), [0, 1, 2])
    assert np.array_equal(np.load(ref.download(tmp_path / "copy.npy")), [0, 1, 2])
    assert ref.verify()
    assert np.array_equal(np.load(ref.fs.open(ref.full_path)), [0, 1, 2])
    assert ref.to_json() == {
        "path": "a.npy",
        "store": "main",
        "dtype": "int64",
        "shape": [3],
        "size": store.size("a.npy"),
        "checksum": ref.checksum,
    }
    with pytest.raises(StorageError, match="only be read"):
        ref.open("wb")
    store.remove("a.npy")
    for use in (ref.verify, ref.open, lambda: ref.download(tmp_path / "other.npy")):
        with pytest.raises(MissingExternalFile):
            use()


def test_an_array_of_dask_reads_what_it_computes_after_it_was_sent_away() -> None:
    store = CountingStore()
    ref = put(store, LARGE)
    lazy: Any = ref.to_dask_array(chunks=(512, -1))
    assert (lazy.shape, lazy.dtype, lazy.numblocks, store.reads) == (LARGE.shape, LARGE.dtype, (8, 1), [])
    part = pickle.loads(pickle.dumps(lazy[600:700]))  # noqa: S301 - pickled in the same line
    assert np.array_equal(part.compute(scheduler="sync"), LARGE[600:700])
    assert np.array_equal(lazy.compute(scheduler="sync"), LARGE)
    assert not ref.is_loaded
    assert lazy.name == ref.to_dask_array(chunks=(512, -1)).name != ref.to_dask_array().name
    scalar: Any = put(store, np.array(7)).to_dask_array()
    assert scalar.sum().compute(scheduler="sync") == 7
