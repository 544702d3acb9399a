"""`<object@>`: files and folders in a store, and the references that users hold of them."""

import io
import json
import os
import pickle
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
import zarr

from djflow.errors import CorruptObjectError, DataTypeError, MissingExternalFile, StorageError
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.handles import ObjectRef
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.codecs import CodecContract, column_context
from djflow.testing.stores import MemoryStore

TYPE = CodecType("object", "main")
FILES = {"x.bin": b"123", "sub/y.bin": b"4567", "sub/deep/z": b""}


def encode(values: list[Any], store: Store) -> pa.Array:
    return codec_for(TYPE).encode_column(values, column_context(TYPE, store, rows=len(values)))


def decode(column: pa.Array, store: Store) -> list[Any]:
    return codec_for(TYPE).decode_column(column, column_context(TYPE, store))


def stored(value: Any, store: Store) -> Any:
    return decode(encode([value], store), store)[0]


def tree(top: Path) -> dict[str, bytes]:
    return {path.relative_to(top).as_posix(): path.read_bytes() for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "data.v1"
    for name, content in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    return top


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore("main") if request.param == "memory" else LocalStore(tmp_path / "store", "main")


class TestObject(CodecContract):
    type = TYPE
    values: ClassVar[tuple[Any, ...]] = (b"one", (".bin", b""))

    def same(self, decoded: Any, value: Any) -> bool:
        return bool(decoded.read() == (value if isinstance(value, bytes) else value[1]) and decoded.verify())


def test_a_reference_tells_what_datajoint_s_does(folder: Path) -> None:
    store = LocalStore(folder.parent / "store", "main")
    values = [folder / "x.bin", folder, b"abc", (".dat", b"abcd"), (".zarr", folder)]
    told = [json.loads(text) for text in encode(values, store).to_pylist()]
    assert [(each["size"], each["ext"], each["is_dir"], each["item_count"]) for each in told] == [
        (3, ".bin", False, None),
        (7, None, True, 3),
        (3, None, False, None),
        (4, ".dat", False, None),
        (7, ".zarr", True, 3),
    ]
    for row, each in enumerate(told):
        names = ["path", "store", "size", "ext", "is_dir", "item_count", "timestamp"]
        assert list(each)[:7] == names
        start = f"_schema/lab/example/id={row}/value_"
        assert each["path"].startswith(start)
        assert each["path"][len(start) + 8 :] == (each["ext"] or "")
        assert abs(datetime.fromisoformat(each["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert tree(store.root / told[1]["path"]) == FILES


def test_a_folder_is_listed_walked_and_read(folder: Path, store: Store) -> None:
    ref = stored(folder, store)
    assert isinstance(ref, ObjectRef)
    assert (ref.size, ref.is_dir, ref.item_count, ref.ext, ref.store) == (7, True, 3, None, "main")
    assert repr(ref) == f"ObjectRef(folder: {ref.path}, size=7)"
    assert (ref.listdir(), ref.listdir("sub"), ref.listdir("sub/deep")) == (
        ["sub", "x.bin"],
        ["deep", "y.bin"],
        ["z"],
    )
    assert list(ref.walk()) == [
        ("", ["sub"], ["x.bin"]),
        ("sub", ["deep"], ["y.bin"]),
        ("sub/deep", [], ["z"]),
    ]
    assert [ref.exists(name) for name in (None, "sub", "x.bin", "other")] == [True, True, True, False]
    with ref.open("sub/y.bin") as file:
        file.seek(2)
        assert file.read() == b"67"
    with ref.open("x.bin", "r") as file:
        assert file.read() == "123"
    for refused in (ref.read, ref.open):
        with pytest.raises(StorageError, match="is a folder"):
            refused()
    with pytest.raises(MissingExternalFile):
        ref.listdir("other")
    assert ref.verify()


def test_a_file_is_read_and_is_no_folder(folder: Path, store: Store) -> None:
    ref = stored(folder / "x.bin", store)
    assert (ref.read(), ref.ext, ref.exists(), ref.verify()) == (b"123", ".bin", True, True)
    with ref.open() as file:
        assert file.read(2) == b"12"
    for refused in (
        ref.listdir,
        lambda: list(ref.walk()),
        lambda: ref.open("x.bin"),
        lambda: ref.exists("a"),
    ):
        with pytest.raises(StorageError, match="is a file"):
            refused()
    with pytest.raises(StorageError, match="only be read"):
        ref.open(mode="wb")


def test_nothing_is_read_before_it_is_asked_for(folder: Path) -> None:
    store = MemoryStore("main")
    ref = stored(folder, store)
    assert (ref.size, ref.path, ref.exists("x.bin")) == (7, ref.path, True)
    assert store.reads == []


def test_streams_and_objects_of_other_rows_are_copied(folder: Path, store: Store) -> None:
    assert stored((".dat", io.BytesIO(b"stream")), store).read() == b"stream"
    first = stored(folder, store)
    second = stored(first, store)
    assert second.path != first.path
    assert second == first
    assert hash(second) == hash(first)
    with second.open("sub/y.bin") as file:
        assert file.read() == b"4567"
    assert stored(stored((".a", b"1"), store), store).ext == ".a"
    assert stored(b"other", store) != first


def test_an_object_is_downloaded_whole(folder: Path, store: Store, tmp_path: Path) -> None:
    down = tmp_path / "down"
    ref = stored(folder, store)
    assert ref.download(down / "copy") == down / "copy"
    assert tree(down / "copy") == FILES
    assert ref.download(str(down)) == down / ref.path.rpartition("/")[2]
    assert ref.download(down / "one", "sub/y.bin").read_bytes() == b"4567"
    assert tree(ref.download(down / "part", "sub")) == {"y.bin": b"4567", "deep/z": b""}
    assert ref.download(down / "copy" / "sub", "x.bin") == down / "copy" / "sub" / "x.bin"


def test_a_download_keeps_its_copy_and_replaces_nothing_else(
    folder: Path, store: Store, tmp_path: Path
) -> None:
    ref, file = stored(folder, store), stored(b"123", store)
    copy = ref.download(tmp_path / "new" / "tree")
    name = ref.path.rpartition("/")[2]
    again = ref.download(tmp_path / "new")
    assert again == tmp_path / "new" / name == ref.download(tmp_path / "new")
    (again / "x.bin").write_bytes(b"124")
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    for refused, place in ((ref, tmp_path / "new"), (file, other), (ref, other)):
        with pytest.raises(StorageError, match="is there already"):
            refused.download(place)
    assert (other.read_bytes(), tree(copy)) == (b"mine", FILES)
    assert file.download(tmp_path / "three").read_bytes() == file.download(tmp_path / "three").read_bytes()


def test_a_failed_download_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    store = MemoryStore("main")
    ref = stored(folder, store)
    store.remove(ref.path)
    with pytest.raises(MissingExternalFile):
        ref.download(tmp_path / "down")
    assert not (tmp_path / "down").exists()


def test_a_changed_object_does_not_verify(folder: Path) -> None:
    store = MemoryStore("main")
    for value in (folder, folder / "x.bin"):
        ref = stored(value, store)
        path = f"{ref.path}/x.bin" if ref.is_dir else ref.path
        for changed, reason in ((b"12", "bytes"), (b"321", "checksum")):
            store.put(path, changed)
            with pytest.raises(CorruptObjectError, match=reason):
                ref.verify()
        store.remove(ref.path)
        with pytest.raises(MissingExternalFile):
            ref.verify()


def test_a_renamed_or_added_file_does_not_verify(folder: Path) -> None:
    store = MemoryStore("main")
    ref = stored(folder, store)
    store.put(f"{ref.path}/new", b"")
    with pytest.raises(CorruptObjectError, match="files 4, but the row says 3"):
        ref.verify()
    store.remove(f"{ref.path}/sub/deep/z")
    with pytest.raises(CorruptObjectError, match="checksum"):
        ref.verify()


def test_other_libraries_open_what_is_stored(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store", "main")
    array = zarr.create_array(tmp_path / "a.zarr", data=np.arange(6.0).reshape(2, 3))
    ref = stored(tmp_path / "a.zarr", store)
    assert np.array_equal(zarr.open_array(ref.fsmap, mode="r")[:], array[:])
    assert ref.full_path == str(tmp_path / "store" / ref.path)
    assert ref.fs.isdir(ref.full_path)


def test_a_reference_travels(folder: Path) -> None:
    store = MemoryStore("main")
    ref = stored(folder, store)
    again = pickle.loads(pickle.dumps(ref))  # noqa: S301 - pickled in the same line
    assert again == ref
    assert again.open("x.bin").read() == b"123"
    assert ObjectRef.from_json(json.dumps(ref.to_json()), store).to_json() == ref.to_json()


def test_what_cannot_be_stored_is_told_with_its_row_and_nothing_is_written(
    folder: Path, tmp_path: Path
) -> None:
    store = MemoryStore()
    empty, linked, odd = (tmp_path / name for name in ("empty", "linked", "odd"))
    for each in (empty, linked, odd):
        each.mkdir()
    (linked / "link").symlink_to(folder)
    (odd / "a\\b").touch()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for bad, reason in [
        (7, "not int"),
        ({"path": "a"}, "not dict"),
        (io.BytesIO(b""), "not BytesIO"),
        ((".x", 7), "not int"),
        (("x", b""), "begins with a dot"),
        ((".a/b", b""), "no extension"),
        (tmp_path / "absent", "does not exist"),
        (pipe, "neither a file nor a folder"),
        (empty, "is empty"),
        (linked, "symbolic link"),
        (odd, "name that stores do not take"),
    ]:
        with pytest.raises(DataTypeError, match=reason) as caught:
            encode([b"good", None, bad], store)
        assert caught.value.row == 2
    assert not store.files


@pytest.mark.parametrize("text", ['{"path": "../x"}', '{"path": "a", "timestamp": "soon"}', '{"path": 7}'])
def test_an_unusable_reference_is_a_typed_error(text: str) -> None:
    with pytest.raises(StorageError):
        decode(pa.array([text]), MemoryStore())


def test_what_datajoint_writes_is_read() -> None:
    store = MemoryStore("main")
    store.put("_schema/a/b", b"12345")
    told = {
        "path": "_schema/a/b",
        "store": "main",
        "size": 5,
        "ext": None,
        "is_dir": False,
        "item_count": None,
    }
    column = pa.array([json.dumps({**told, "timestamp": "2026-01-02T03:04:05.000006+00:00"})])
    (ref,) = decode(column, store)
    assert (ref.read(), ref.verify()) == (b"12345", True)
    assert ref.timestamp == datetime(2026, 1, 2, 3, 4, 5, 6, UTC)
    array = codec_for(TYPE).arrow_column(column, column_context(TYPE, store))
    assert array is not None
    assert array[0].as_py()["path"] == "_schema/a/b"
