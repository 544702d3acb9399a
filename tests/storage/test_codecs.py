"""djflow's codecs: what all have in common, and what is particular to each."""

import json
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import zarr

from djflow.errors import (
    CorruptObjectError,
    DataTypeError,
    DefinitionError,
    MissingExternalFile,
    StorageError,
)
from djflow.model.types import CodecType, CoreType
from djflow.storage.codec import Codec, codec_for, resolve_dtype
from djflow.storage.codecs import NpyRef
from djflow.storage.codecs.references import REFERENCE
from djflow.storage.codecs.zarr_write import chunk_shape
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.codecs import CodecContract, column_context
from djflow.testing.stores import MemoryStore

ARRAYS = (np.arange(6.0).reshape(2, 3), np.array([True, False]), np.array(7, "i2"), np.empty((0, 3), "f4"))
OBJECTS = ({"a": [1, None]}, "text", b"bytes", 1.5)
STORED = ("npy", "zarr")


class ArrayContract(CodecContract):
    values: ClassVar[Sequence[Any]] = ARRAYS

    def same(self, decoded: Any, value: Any) -> bool:
        found = np.asarray(decoded)
        return found.dtype == value.dtype and found.shape == value.shape and np.array_equal(found, value)


class TestBlobInTable(CodecContract):
    type = CodecType("blob")
    values = OBJECTS


class TestBlobInStore(CodecContract):
    type = CodecType("blob", "main")
    values = OBJECTS


class TestHash(CodecContract):
    type = CodecType("hash", "main")
    values = (b"one", b"two", b"")


class TestNpy(ArrayContract):
    type = CodecType("npy", "")


class TestZarr(ArrayContract):
    type = CodecType("zarr", "main")


class TestArraysInBlobs(ArrayContract):
    type = CodecType("blob")
    values = ARRAYS[:2]


def encode(name: str, values: Any, store: Store) -> pa.Array:
    type_ = CodecType(name, "main")
    return codec_for(type_).encode_column(values, column_context(type_, store, rows=len(values)))


def decode(name: str, column: pa.Array, store: Store) -> list[Any]:
    type_ = CodecType(name, "main")
    return codec_for(type_).decode_column(column, column_context(type_, store))


def references(column: pa.Array) -> list[dict[str, Any]]:
    return [json.loads(text) for text in column.to_pylist()]


def test_types_resolve_to_what_the_table_stores() -> None:
    expected = {
        "<blob>": "bytes",
        "<blob@>": "json",
        "<hash@>": "json",
        "<npy@main>": "json",
        "<zarr@>": "json",
    }
    for text, core in expected.items():
        name, at, store = text.strip("<>").partition("@")
        assert resolve_dtype(CodecType(name, store if at else None)) == CoreType(core)


@pytest.mark.parametrize("name", ["npy", "zarr", "hash"])
def test_a_codec_of_stores_needs_a_store(name: str) -> None:
    with pytest.raises(DefinitionError, match=f"<{name}@>"):
        resolve_dtype(CodecType(name))


@pytest.mark.parametrize(
    ("name", "bad", "reason"),
    [
        ("blob", object(), "cannot hold"),
        ("hash", "text", "stores bytes, not str"),
        ("npy", [1, 2], "not list"),
        ("npy", np.array([None]), "Python objects"),
        ("zarr", [1, 2], "not list"),
        ("zarr", np.array(["a"]), "numbers"),
    ],
)
def test_a_refused_value_is_told_with_its_row_and_nothing_is_written(
    name: str, bad: Any, reason: str
) -> None:
    store = MemoryStore()
    good = {"blob": 1, "hash": b"x"}.get(name, np.zeros(2))
    with pytest.raises(DataTypeError, match=reason) as caught:
        encode(name, [good, None, bad], store)
    assert (caught.value.row, caught.value.column, caught.value.table) == (2, "value", "lab.example")
    assert not store.files
    assert not store.arrays


@pytest.mark.parametrize("name", STORED)
def test_a_stacked_array_is_one_array_a_row(name: str) -> None:
    store, stack = MemoryStore(), np.arange(24.0).reshape(4, 3, 2)
    decoded = decode(name, encode(name, stack, store), store)
    assert np.array_equal([np.asarray(value) for value in decoded], stack)


@pytest.mark.parametrize("name", STORED)
def test_references_become_structs_without_reading_the_store(name: str) -> None:
    store = MemoryStore()
    column = encode(name, [np.zeros((2, 3), "i2"), None], store)
    type_ = CodecType(name, "main")
    array = codec_for(type_).arrow_column(column, column_context(type_, store))
    assert array is not None
    assert array.type == REFERENCE
    first = array[0].as_py()
    assert (first["store"], first["dtype"], first["shape"]) == ("memory", "int16", [2, 3])
    assert array[1].as_py() is None
    assert store.reads == []


@pytest.mark.parametrize("name", ["npy", "zarr", "hash"])
@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", '{"path": 7}', '{"path": null}'])
def test_text_that_is_no_reference_is_told_with_its_row(name: str, text: str) -> None:
    with pytest.raises(CorruptObjectError, match="Row 0"):
        decode(name, pa.array([text]), MemoryStore())


@pytest.mark.parametrize("name", STORED)
def test_an_incomplete_reference_is_told_with_its_row(name: str) -> None:
    with pytest.raises(CorruptObjectError, match="Row 0"):
        decode(name, pa.array(['{"path": "a"}']), MemoryStore())


@pytest.mark.parametrize("name", ["npy", "zarr", "hash", "blob"])
def test_a_reference_out_of_the_store_is_refused(name: str, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store", "main")
    column = encode(name, [b"x" if name == "hash" else np.zeros(2)], store)
    reference = references(column)[0] | {"path": "../secret"}
    with pytest.raises(StorageError, match="is no path in a store"):
        np.asarray(decode(name, pa.array([json.dumps(reference)]), store)[0])


# Hash-addressed content


def test_equal_contents_are_kept_once() -> None:
    store = MemoryStore()
    column = encode("blob", ["same", "same", "other"], store)
    assert len(store.files) == 2
    assert decode("blob", column, store) == ["same", "same", "other"]


def test_a_reference_tells_hash_path_size_store_and_schema() -> None:
    (reference,) = references(encode("hash", [b"abc"], MemoryStore()))
    assert reference == {
        "hash": "saavbgb42jh3bvuwh56sryl7oi",
        "path": "_hash/lab/saavbgb42jh3bvuwh56sryl7oi",
        "size": 3,
        "store": "memory",
        "schema": "lab",
    }


def test_changed_content_is_never_returned() -> None:
    store = MemoryStore()
    column = encode("hash", [b"abc"], store)
    store.files[references(column)[0]["path"]] = b"abd"
    with pytest.raises(CorruptObjectError, match="hash"):
        decode("hash", column, store)


def test_content_of_another_size_is_written_again() -> None:
    store = MemoryStore()
    column = encode("hash", [b"abc"], store)
    store.files[references(column)[0]["path"]] = b"a"
    assert decode("hash", encode("hash", [b"abc"], store), store) == [b"abc"]


def test_absent_content_is_a_typed_error() -> None:
    store = MemoryStore()
    column = encode("blob", ["x"], store)
    store.files.clear()
    with pytest.raises(MissingExternalFile):
        decode("blob", column, store)


# Arrays in files


def test_an_array_is_read_only_when_used_and_only_once() -> None:
    store = MemoryStore()
    ref = decode("npy", encode("npy", [np.arange(6).reshape(2, 3)], store), store)[0]
    assert (ref.shape, ref.ndim, ref.size, ref.nbytes, len(ref)) == ((2, 3), 2, 6, 48, 2)
    assert (ref.store, ref.dtype, ref.is_loaded) == ("memory", np.dtype("i8"), False)
    assert ref.path.startswith("_schema/lab/example/id=0/value_")
    assert repr(ref) == "NpyRef(shape=(2, 3), dtype=int64, not loaded)"
    assert store.reads == []
    assert ref.load() is ref.load()
    assert store.reads == [ref.path]
    assert repr(ref) == "NpyRef(shape=(2, 3), dtype=int64, loaded)"


def test_numpy_takes_a_reference_for_an_array() -> None:
    store, array = MemoryStore(), np.arange(6.0).reshape(2, 3)
    ref = decode("npy", encode("npy", [array], store), store)[0]
    for found, expected in [
        (ref + 1, array + 1),
        (1 - ref, 1 - array),
        (array * ref, array * array),
        (ref @ array.T, array @ array.T),
        (-ref, -array),
        (ref > 2, array > 2),
        (ref[1, ::2], array[1, ::2]),
        (np.mean(ref, axis=0), array.mean(axis=0)),
        (np.add.reduce(ref), array.sum(axis=0)),
        (np.asarray(ref, dtype="f4"), array.astype("f4")),
        (np.stack(list(ref)), array),
    ]:
        assert np.array_equal(found, expected)
    assert np.array(ref, copy=True) is not ref.load()
    with pytest.raises(ValueError, match="copy"):
        np.array(ref, dtype="f4", copy=False)


def test_a_reference_travels_without_its_array() -> None:
    store = MemoryStore()
    ref = decode("npy", encode("npy", [np.arange(3)], store), store)[0]
    ref.load()
    again = pickle.loads(pickle.dumps(ref))  # noqa: S301 - pickled in the same line
    assert not again.is_loaded
    assert again.load().tolist() == [0, 1, 2]


def test_a_reference_can_be_stored_again() -> None:
    store = MemoryStore()
    ref = decode("npy", encode("npy", [np.arange(3)], store), store)[0]
    copy = decode("npy", encode("npy", [ref], store), store)[0]
    assert copy.path != ref.path
    assert copy.load().tolist() == [0, 1, 2]


def test_a_local_file_is_mapped(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, "main")
    ref = decode("npy", encode("npy", [np.arange(3)], store), store)[0]
    mapped = ref.load(mmap_mode="r")
    assert isinstance(mapped, np.memmap)
    assert not mapped.flags.writeable
    assert not ref.is_loaded
    private = ref.load(mmap_mode="c")
    private[0] = 9
    assert ref.load().tolist() == [0, 1, 2]


def test_a_remote_file_is_read_where_it_cannot_be_mapped() -> None:
    store = MemoryStore()
    ref = decode("npy", encode("npy", [np.arange(3)], store), store)[0]
    assert not ref.load(mmap_mode="r").flags.writeable
    assert ref.load(mmap_mode="c").flags.writeable
    with pytest.raises(StorageError, match="remote"):
        ref.load(mmap_mode="r+")


def test_a_file_with_another_array_is_refused() -> None:
    store = MemoryStore()
    column = encode("npy", [np.arange(3), np.arange(3.0)], store)
    left, right = (reference["path"] for reference in references(column))
    store.files[left] = store.files[right]
    store.files[right] = b"junk"
    for ref in decode("npy", column, store):
        with pytest.raises(CorruptObjectError, match="Not the array that was written"):
            ref.load()
    store.files.clear()
    with pytest.raises(MissingExternalFile):
        decode("npy", column, store)[0].load()


def test_no_pickled_object_is_ever_loaded() -> None:
    store = MemoryStore()
    column = encode("npy", [np.arange(3)], store)
    path = references(column)[0]["path"]
    header = store.files[path][:128].replace(b"'<i8'", b"'|O' ")
    store.files[path] = header + pickle.dumps([1, 2, 3])
    with pytest.raises(CorruptObjectError, match="holds object"):
        decode("npy", column, store)[0].load()


def test_structured_arrays_keep_their_fields() -> None:
    store, array = MemoryStore(), np.array([(1, 2.5)], dtype=[("a", "<i4"), ("b", "<f8")])
    ref = decode("npy", encode("npy", [array], store), store)[0]
    assert ref.dtype == array.dtype
    assert ref["b"].tolist() == [2.5]


# Zarr


def test_opening_a_zarr_array_needs_only_its_row() -> None:
    store = MemoryStore()
    column = encode("zarr", [np.arange(6.0).reshape(2, 3)], store)
    path = references(column)[0]["path"]
    del store.arrays[path]["zarr.json"]
    array = decode("zarr", column, store)[0]
    assert isinstance(array, zarr.Array)
    assert np.array_equal(array[1, :], [3.0, 4.0, 5.0])


def test_a_zarr_array_in_a_store_is_one_that_zarr_opens(tmp_path: Path) -> None:
    store, array = LocalStore(tmp_path, "main"), np.arange(6.0).reshape(2, 3)
    reference = references(encode("zarr", [array], store))[0]
    assert np.array_equal(zarr.open_array(tmp_path / reference["path"], mode="r")[:], array)
    assert reference["size"] == store.size(reference["path"])
    assert (reference["dtype"], reference["shape"], reference["store"]) == ("float64", [2, 3], "main")


def test_a_fetched_zarr_array_is_read_only() -> None:
    store = MemoryStore()
    array = decode("zarr", encode("zarr", [np.zeros(3)], store), store)[0]
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_a_lost_chunk_is_an_error_not_zeros(kind: str, tmp_path: Path) -> None:
    memory, local = MemoryStore(), LocalStore(tmp_path, "main")
    store: Store = memory if kind == "memory" else local
    column = encode("zarr", [np.zeros((3, 3))], store)
    path = references(column)[0]["path"]
    if kind == "memory":
        del memory.arrays[path]["c/0/0"]
    else:
        local.remove(f"{path}/c")
    with pytest.raises(MissingExternalFile, match="Chunk"):
        decode("zarr", column, store)[0][:]
    store.remove(path)
    with pytest.raises(MissingExternalFile):
        decode("zarr", column, store)[0][:]


def test_zarr_arrays_keep_chunks_and_attributes() -> None:
    store, array = MemoryStore(), np.arange(10_000.0).reshape(100, 100)
    source = zarr.create_array({}, data=array, chunks=(30, 40), attributes={"unit": "mV"})
    copy = decode("zarr", encode("zarr", [source], store), store)[0]
    assert (copy.chunks, dict(copy.attrs)) == ((30, 40), {"unit": "mV"})
    assert np.array_equal(copy[:], array)
    again = decode("zarr", encode("zarr", [copy], store), store)[0]
    assert np.array_equal(again[:], array)


def test_anything_that_numpy_reads_can_be_a_zarr_array() -> None:
    store = MemoryStore()
    ref = decode("npy", encode("npy", [np.arange(3)], store), store)[0]
    assert isinstance(ref, NpyRef)
    assert list(decode("zarr", encode("zarr", [ref], store), store)[0][:]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((), ()),
        ((0,), (1,)),
        ((10,), (10,)),
        ((10**7,), (500_000,)),
        ((3, 10**6), (1, 500_000)),
        ((1000, 512, 512), (2, 512, 512)),
        ((1, 5000, 5000), (1, 103, 5000)),
    ],
)
def test_chunks_are_even_blocks_of_at_most_four_mebibytes(
    shape: tuple[int, ...], chunks: tuple[int, ...]
) -> None:
    assert chunk_shape(np.broadcast_to(np.float64(0), shape)) == chunks


# What DataJoint wrote


def test_objects_in_a_store_of_datajoint_are_read(interop: Path) -> None:
    store = LocalStore(interop / "store", "main")
    arr = {
        "path": "_schema/lab/session/subject_id=0/session_idx=0/arr_8kehN-Nq.npy",
        "dtype": "int64",
        "shape": [10],
        "store": "main",
    }
    bigb = {
        "hash": "4gd3ocv245hpn4laeev6rv3jqu",
        "path": "_hash/lab/4gd3ocv245hpn4laeev6rv3jqu",
        "size": 104,
        "store": "main",
        "schema": "lab",
    }
    assert decode("npy", pa.array([json.dumps(arr)]), store)[0].load().tolist() == list(range(10))
    assert decode("blob", pa.array([json.dumps(bigb)]), store)[0]["q"].tolist() == [[1, 0], [0, 1]]


def test_what_is_written_is_what_datajoint_writes() -> None:
    store = MemoryStore("main")
    (bigb,) = references(encode("blob", [{"q": np.eye(2)}], store))
    assert bigb == {
        "hash": "4gd3ocv245hpn4laeev6rv3jqu",
        "path": "_hash/lab/4gd3ocv245hpn4laeev6rv3jqu",
        "size": 104,
        "store": "main",
        "schema": "lab",
    }
    (arr,) = references(encode("npy", [np.arange(10)], store))
    assert {"path", "dtype", "shape", "store"} < set(arr)


def test_no_codec_can_take_a_name_of_djflow_s_own() -> None:
    with pytest.raises(DefinitionError, match="'blob'"):
        type("Impostor", (Codec,), {"name": "blob"})
