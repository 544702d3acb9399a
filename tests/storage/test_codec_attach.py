"""`<attach>`: files with their names."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from djflow.errors import CorruptObjectError, DataTypeError, MissingExternalFile, StorageError
from djflow.model.types import CodecType, CoreType
from djflow.storage.codec import codec_for, resolve_dtype
from djflow.storage.parallel import map_threads
from djflow.storage.store import Store
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore

MODES = [CodecType("attach"), CodecType("attach", "main")]


def encode(values: list[Any], type_: CodecType, store: Store) -> pa.Array:
    return codec_for(type_).encode_column(values, column_context(type_, store, rows=len(values)))


def decode(column: pa.Array, type_: CodecType, store: Store, folder: Path) -> list[Any]:
    context = replace(column_context(type_, store), download_path=folder)
    return codec_for(type_).decode_column(column, context)


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report ü.txt"
    path.write_bytes(b"text\0more")
    return path


def test_types_resolve_as_documented() -> None:
    assert [resolve_dtype(mode) for mode in MODES] == [CoreType("bytes"), CoreType("json")]


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_a_file_comes_back_under_its_name_in_the_download_folder(
    mode: CodecType, report: Path, tmp_path: Path
) -> None:
    store = MemoryStore()
    column = encode([None, report, str(report)], mode, store)
    none, first, second = decode(column, mode, store, tmp_path / "new" / "down")
    assert none is None
    assert first == second == str(tmp_path / "new" / "down" / "report ü.txt")
    assert Path(first).read_bytes() == b"text\0more"
    assert len(store.files) == (mode.store is not None)


def test_the_bytes_are_the_name_a_zero_and_the_content(report: Path) -> None:
    (stored,) = encode([report], MODES[0], MemoryStore()).to_pylist()
    assert stored == b"report \xc3\xbc.txt\0text\0more"


def test_a_file_of_the_same_name_is_never_replaced(report: Path, tmp_path: Path) -> None:
    folder, codec = tmp_path / "down", MODES[0]
    columns = [pa.array([b"a.tar.gz\0" + content]) for content in (b"one", b"two", b"one", b"two", b"")]
    names = [Path(decode(column, codec, MemoryStore(), folder)[0]).name for column in columns]
    assert names == ["a.tar.gz", "a.tar_1.gz", "a.tar.gz", "a.tar_1.gz", "a.tar_2.gz"]
    assert (folder / "a.tar.gz").read_bytes() == b"one"
    assert sorted(path.name for path in folder.iterdir()) == sorted(set(names))
    assert decode(encode([report], codec, MemoryStore()), codec, MemoryStore(), report.parent) == [
        str(report)
    ]


def test_threads_that_unpack_one_name_keep_every_content(tmp_path: Path) -> None:
    contents = [bytes([i]) * 1000 for i in range(16)]
    column = pa.array([b"same\0" + content for content in contents])
    paths = map_threads(lambda _: decode(column, MODES[0], MemoryStore(), tmp_path), range(3))
    for found in paths:
        assert [Path(path).read_bytes() for path in found] == contents


@pytest.mark.parametrize(
    "name", [b"../a", b"/etc/a", b"a/b", b"..", b".", b"", b"a\\b", b"C:a", b"a\nb", b"\xff\xfe"]
)
def test_no_name_leaves_the_folder(name: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "down"
    with pytest.raises(CorruptObjectError, match="unsafe name") as caught:
        decode(pa.array([None, name + b"\0evil"]), MODES[0], MemoryStore(), folder)
    assert "row 1" in caught.value.__notes__[0]
    assert [*tmp_path.rglob("*")] == []


def test_bytes_without_a_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptObjectError, match="hold no file"):
        decode(pa.array([b"no zero"]), MODES[0], MemoryStore(), tmp_path)


@pytest.mark.parametrize("mode", MODES, ids=str)
def test_what_is_no_file_is_told_with_its_row_and_nothing_is_written(
    mode: CodecType, report: Path, tmp_path: Path
) -> None:
    store = MemoryStore()
    backslash = tmp_path / "a\\b"
    backslash.touch()
    for bad, reason in [
        (b"bytes", "not bytes"),
        (tmp_path / "absent", "is no file"),
        (tmp_path, "is a folder"),
        (backslash, "not every machine"),
    ]:
        with pytest.raises(DataTypeError, match=reason) as caught:
            encode([report, None, bad], mode, store)
        assert caught.value.row == 2
    assert not store.files


def test_an_absent_content_is_a_typed_error(report: Path, tmp_path: Path) -> None:
    store = MemoryStore()
    column = encode([report], MODES[1], store)
    store.files.clear()
    with pytest.raises(MissingExternalFile):
        decode(column, MODES[1], store, tmp_path)


def test_a_folder_that_cannot_be_written_to_is_a_typed_error(report: Path) -> None:
    column = encode([report], MODES[0], MemoryStore())
    with pytest.raises(StorageError, match="download_path"):
        decode(column, MODES[0], MemoryStore(), report / "inside a file")


def test_paths_are_text_in_arrow(report: Path, tmp_path: Path) -> None:
    column = encode([report, None], MODES[0], MemoryStore())
    context = replace(column_context(MODES[0], MemoryStore()), download_path=tmp_path / "down")
    array = codec_for(MODES[0]).arrow_column(column, context)
    assert array is not None
    assert array.to_pylist() == [str(tmp_path / "down" / report.name), None]
