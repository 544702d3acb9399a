"""`<npy@>`: indexing that reads no more than it touches, checksums."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.codecs import NpyRef
from djflow.storage.handles.checksums import verify_object
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore

TYPE = CodecType("npy", "main")
ARRAY = np.arange(24.0).reshape(4, 3, 2)


def encode(value: Any, store: Store) -> Any:
    return codec_for(TYPE).encode_column([value], column_context(TYPE, store, rows=1))


def stored(value: Any, store: Store) -> NpyRef:
    (ref,) = codec_for(TYPE).decode_column(encode(value, store), column_context(TYPE, store))
    assert isinstance(ref, NpyRef)
    return ref


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path, "main")


@pytest.mark.parametrize(
    "index",
    [
        0,
        -1,
        slice(1, 3),
        (slice(None), 1),
        (Ellipsis, 0),
        (2, 1, 1),
        (slice(None, None, -1), [0, 2]),
        ARRAY > 7,
        None,
        slice(4, 9),
    ],
)
def test_an_index_gives_what_numpy_gives_and_loads_nothing(index: Any, store: LocalStore) -> None:
    ref = stored(ARRAY, store)
    found = ref[index]
    assert not ref.is_loaded
    assert type(found) is type(ARRAY[index])
    assert np.array_equal(found, ARRAY[index])


def test_a_part_can_be_changed_and_the_file_stays(store: LocalStore) -> None:
    ref = stored(ARRAY, store)
    part = ref[0]
    part[:] = -1
    assert np.array_equal(ref.load(), ARRAY)
    assert ref[0, 0, 0] == 0


def test_arrays_without_elements_or_dimensions_are_indexed_too(store: LocalStore) -> None:
    assert stored(np.empty((0, 3)), store)[:, 1].shape == (0,)
    assert stored(np.array(7), store)[()] == 7
    assert stored(np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")]), store)["b"].tolist() == [2.5]


def test_an_index_out_of_bounds_or_into_an_absent_file_is_refused(store: LocalStore) -> None:
    ref = stored(ARRAY, store)
    with pytest.raises(IndexError):
        ref[4]
    store.remove(ref.path)
    with pytest.raises(MissingExternalFile):
        ref[0]


def test_a_checksum_tells_a_changed_file() -> None:
    store = MemoryStore("main")
    reference = json.loads(encode(ARRAY, store)[0].as_py())
    assert reference["size"] == store.size(reference["path"])
    verify_object(store, reference)
    content = store.get(reference["path"])
    store.put(reference["path"], content[:-1] + b"\1")
    with pytest.raises(CorruptObjectError, match="checksum"):
        verify_object(store, reference)
    store.put(reference["path"], content[:-1])
    with pytest.raises(CorruptObjectError, match="bytes"):
        verify_object(store, reference)
