"""`<zarr@>`: groups, options that values carry, checksums."""

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pyarrow as pa
import pytest
import zarr
from zarr.codecs import BloscCodec, GzipCodec

from djflow.errors import CorruptObjectError, DataTypeError, MissingExternalFile
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.handles.checksums import verify_object
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore

TYPE = CodecType("zarr", "main")
TREE = {"signal": np.arange(6.0).reshape(2, 3), "masks": {"left": np.array([True, False]), "none": {}}}


def encode(values: list[Any], store: Store) -> pa.Array:
    return codec_for(TYPE).encode_column(values, column_context(TYPE, store, rows=len(values)))


def stored(value: Any, store: Store) -> Any:
    return codec_for(TYPE).decode_column(encode([value], store), column_context(TYPE, store))[0]


def reference(value: Any, store: Store) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encode([value], store)[0].as_py())
    return found


def test_a_dict_of_arrays_is_a_group() -> None:
    store = MemoryStore("main")
    group = stored(TREE, store)
    assert (store.reads, isinstance(group, zarr.Group)) == ([], True)
    assert sorted(group.array_keys()) == ["signal"]
    assert np.array_equal(group["signal"][1, :], [3.0, 4.0, 5.0])
    assert group["masks/left"][:].tolist() == [True, False]
    assert list(group["masks/none"].members()) == []
    with pytest.raises(ValueError, match="read-only"):
        group["signal"][0] = 1


def test_a_group_can_be_stored_again_with_its_attributes() -> None:
    store = MemoryStore("main")
    source = zarr.create_group({}, attributes={"rate": 30})
    source.create_array("a", data=np.arange(10), chunks=(4,), attributes={"unit": "mV"})
    source.create_group("inner", attributes={"x": 1})
    copy = stored(source, store)
    for group in (copy, stored(copy, store)):
        assert dict(group.attrs) == {"rate": 30}
        assert dict(group["inner"].attrs) == {"x": 1}
        assert (group["a"].chunks, dict(group["a"].attrs)) == ((4,), {"unit": "mV"})
        assert group["a"][:].tolist() == list(range(10))


def test_a_group_in_a_store_is_one_that_zarr_opens(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, "main")
    told = reference(TREE, store)
    left: Any = zarr.open_group(tmp_path / told["path"], mode="r")["masks/left"]
    assert left[:].tolist() == [True, False]
    assert told["size"] == store.size(told["path"])
    assert not {"dtype", "shape"} & set(told)


def test_a_lost_chunk_of_a_group_is_an_error() -> None:
    store = MemoryStore("main")
    group = stored(TREE, store)
    for path in [path for path in store.files if "/c/" in path]:
        store.remove(path)
    with pytest.raises(MissingExternalFile, match="Chunk"):
        group["signal"][:]


def test_zarr_arrays_keep_shards_codecs_and_names() -> None:
    source = zarr.create_array(
        {},
        data=np.arange(64.0).reshape(8, 8),
        chunks=(2, 4),
        shards=(4, 8),
        compressors=[BloscCodec(cname="lz4"), GzipCodec(level=1)],
        dimension_names=("t", "x"),
        fill_value=-1.0,
    )
    copy = stored(source, MemoryStore("main"))
    assert (copy.chunks, copy.shards, copy.compressors) == (source.chunks, source.shards, source.compressors)
    assert (copy.metadata.dimension_names, copy.fill_value) == (("t", "x"), -1.0)
    assert np.array_equal(copy[:], source[:])


def test_arrays_of_zarr_version_2_become_version_3() -> None:
    source = zarr.create_array({}, data=np.arange(10), chunks=(4,), zarr_format=2, attributes={"unit": "s"})
    copy = stored(source, MemoryStore("main"))
    assert (copy.metadata.zarr_format, copy.chunks, dict(copy.attrs)) == (3, (4,), {"unit": "s"})
    assert copy[:].tolist() == list(range(10))


def test_dask_arrays_are_written_chunk_by_chunk() -> None:
    lazy = da.arange(100, chunks=30).reshape(50, 2).rechunk((20, 2))
    for value, chunks in ((lazy, (20, 2)), (lazy[:7], (7, 2)), (lazy.sum(), ())):
        copy = stored(value, MemoryStore("main"))
        assert copy.chunks == chunks
        assert np.array_equal(copy[...], value.compute())


@pytest.mark.parametrize("value", [np.arange(1000.0), TREE, np.array(7), np.empty((0, 3))])
def test_a_checksum_tells_damage_of_any_file(value: Any) -> None:
    store = MemoryStore("main")
    told = reference(value, store)
    verify_object(store, told)
    for path, content in list(store.files.items()):
        for damaged in (content[:-1], content[:-1] + bytes([content[-1] ^ 1])):
            store.put(path, damaged)
            with pytest.raises(CorruptObjectError):
                verify_object(store, told)
        store.put(path, content)
    verify_object(store, told)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ({"a": [1, 2]}, "not list"),
        ({"a": {"b": np.array(["x"])}}, "numbers"),
        ({1: np.eye(2)}, "not int"),
        ({"..": np.eye(2)}, "segment"),
        ({"a/b": np.eye(2)}, "no name"),
        ({"zarr.json": np.eye(2)}, "no name"),
    ],
)
def test_a_tree_of_other_things_is_told_with_its_row_and_nothing_is_written(bad: Any, reason: str) -> None:
    store = MemoryStore()
    with pytest.raises(DataTypeError, match=reason) as caught:
        encode([TREE, None, bad], store)
    assert caught.value.row == 2
    assert not store.files
