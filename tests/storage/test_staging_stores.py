"""Objects that grow, in memory and on a real S3 server."""

import json
from operator import setitem
from pickle import dumps, loads
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import zarr

from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.handles.checksums import verify_object
from djflow.storage.staging.draft import Draft, Stageable
from djflow.storage.store import Store
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store."""
    if request.param == "memory":
        return MemoryStore("main")
    found: Store = request.getfixturevalue("s3_store")
    return found


def begun(name: str, way: str, store: Store, extension: str = "") -> Draft:
    kind = CodecType(name, "main")
    codec = codec_for(kind)
    assert isinstance(codec, Stageable)
    return codec.stages()[way](column_context(kind, store, rows=1), extension)


def finished(name: str, draft: Draft, store: Store) -> Any:
    """The value of a draft, once it is known to be what its reference tells."""
    reference = draft.finish()
    draft.abandon()
    verify_object(store, json.loads(reference))
    kind = CodecType(name, "main")
    [value] = codec_for(kind).decode_column(pa.array([reference]), column_context(kind, store))
    return value


def test_arrays_of_zarr_grow_anywhere(store: Store) -> None:
    draft = begun("zarr", "zarr", store)
    array = draft.writing(shape=(0, 2), dtype="i4", chunks=(2, 2))
    array.append([[1, 2], [3, 4], [5, 6]])
    array.resize((6, 2))
    assert finished("zarr", draft, store)[:].tolist() == [[1, 2], [3, 4], [5, 6], [0, 0], [0, 0], [0, 0]]


def test_what_travelled_writes_to_the_same_array(s3_store: Store) -> None:
    draft = begun("zarr", "zarr", s3_store)
    array = draft.writing(shape=(6,), dtype="i4", chunks=(2,), shards=(4,))
    writer = loads(dumps(array))  # noqa: S301 - our own bytes
    assert (writer.shape, writer.ndim, writer.dtype) == ((6,), 1, np.dtype("i4"))
    assert (writer.chunks, writer.shards) == ((2,), (4,))
    array[:] = 1
    setitem(loads(dumps(writer)), slice(4, 6), 5)  # noqa: S301 - our own bytes
    assert finished("zarr", draft, s3_store)[:].tolist() == [1, 1, 1, 1, 5, 5]


def test_arrays_of_npy_grow_anywhere(store: Store) -> None:
    draft = begun("npy", "npy", store)
    array = draft.writing("M8[s]", (None,))
    for number in range(3):
        array.append(np.array([number], "M8[s]"))
    assert finished("npy", draft, store).load().astype(int).tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["parquet", "arrow"])
def test_frames_grow_anywhere(store: Store, name: str) -> None:
    draft = begun(name, "frames", store)
    frame = draft.writing()
    for number in range(3):
        frame.append(pa.table({"x": [number]}))
    assert finished(name, draft, store).to_arrow()["x"].to_pylist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["object", "hash", "blob"])
def test_files_grow_anywhere(store: Store, name: str) -> None:
    draft = begun(name, "open", store)
    with draft.writing("w") as file:
        file.write("some ")
    draft.writing("ab").write(b"text")
    found = finished(name, draft, store)
    assert (found.read() if name == "object" else found) == b"some text"


def test_folders_grow_anywhere(store: Store) -> None:
    draft = begun("object", "store", store, ".tree")
    files = draft.writing()
    files["a"] = b"1"
    files["b/c"] = b"23"
    found = finished("object", draft, store)
    assert (found.ext, found.size, sorted(found.listdir())) == (".tree", 3, ["a", "b"])


def test_zarr_writes_to_a_folder_anywhere(store: Store) -> None:
    draft = begun("object", "store", store, ".zarr")
    array: Any = zarr.open(draft.writing(), mode="w", shape=(4,), chunks=(2,), dtype="i4", zarr_format=3)
    array[:] = np.arange(4)
    found = finished("object", draft, store)
    again: Any = zarr.open(found.fsmap, mode="r")
    assert again[:].tolist() == [0, 1, 2, 3]
