"""`<filepath@>`: references to files that their owner keeps."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from djflow.errors import DataTypeError, DefinitionError
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for, resolve_dtype
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store
from djflow.testing.codecs import column_context
from djflow.testing.stores import MemoryStore

NAMED, DEFAULT = CodecType("filepath", "raw"), CodecType("filepath", "")


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore("raw")
    store.put("rat 1/rec.bin", b"12345")
    return store


def encode(values: list[Any], store: Store, type_: CodecType = NAMED) -> pa.Array:
    return codec_for(type_).encode_column(values, column_context(type_, store, rows=len(values)))


def decode(column: pa.Array, store: Store) -> list[Any]:
    return codec_for(NAMED).decode_column(column, column_context(NAMED, store))


def test_a_reference_is_lazy_and_reads_the_owner_s_file(store: MemoryStore) -> None:
    column = encode([None, "rat 1/rec.bin", Path("rat 1/rec.bin"), "rat 1"], store)
    none, file, same, folder = decode(column, store)
    assert (none, store.reads) == (None, [])
    assert (file.path, file.size, file.is_dir, file.store) == ("rat 1/rec.bin", 5, False, "raw")
    assert (file.read(), file.verify(), same == file) == (b"12345", True, True)
    assert (folder.is_dir, folder.size, folder.listdir()) == (True, None, ["rec.bin"])
    assert list(store.files) == ["rat 1/rec.bin"]


def test_the_row_keeps_what_datajoint_keeps(store: MemoryStore) -> None:
    told = json.loads(encode(["rat 1/rec.bin"], store)[0].as_py())
    written = store.written["rat 1/rec.bin"].isoformat()
    assert told == {"path": "rat 1/rec.bin", "store": "raw", "size": 5, "is_dir": False, "timestamp": written}


def test_an_unchanged_file_gives_the_same_reference(store: MemoryStore) -> None:
    assert encode(["rat 1/rec.bin"], store).equals(encode(["rat 1/rec.bin"], store))


def test_rows_own_no_file(store: MemoryStore) -> None:
    def fail(*told: object) -> Any:
        raise AssertionError(told)

    context = replace(column_context(NAMED, store, rows=1, record=fail), share=fail)
    codec_for(NAMED).encode_column(["rat 1/rec.bin"], context)
    assert not isinstance(codec_for(NAMED), SchemaCodec)


def test_the_default_store_is_the_one_for_files(store: MemoryStore) -> None:
    asked = []

    def open_store(name: str) -> Store:
        asked.append(name)
        return store

    context = replace(column_context(DEFAULT, store, rows=1), open_store=open_store)
    codec_for(DEFAULT).encode_column(["rat 1/rec.bin"], context)
    codec_for(DEFAULT).decode_column(pa.array(['{"path": "rat 1/rec.bin"}']), context)
    codec_for(DEFAULT).decode_column(pa.array(['{"path": "rat 1/rec.bin", "store": "raw"}']), context)
    assert asked == ["filepath_default", "filepath_default", "raw"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (7, "not by int"),
        ("absent", "is not in store 'raw'"),
        ("rat 1/rec", "is not in store 'raw'"),
        ("/rat 1/rec.bin", "absolute"),
        ("rat 1/../rat 1/rec.bin", "segment '..'"),
        ("_hash/a", "objects of its own"),
        ("_schema", "objects of its own"),
        ("", "empty"),
    ],
)
def test_what_is_not_there_or_not_the_owner_s_is_refused(bad: Any, reason: str, store: MemoryStore) -> None:
    with pytest.raises(DataTypeError, match=reason) as caught:
        encode(["rat 1/rec.bin", bad], store)
    assert caught.value.row == 1


def test_a_store_is_needed() -> None:
    with pytest.raises(DefinitionError, match="<filepath@>"):
        resolve_dtype(CodecType("filepath"))


def test_references_are_structs_in_arrow(store: MemoryStore) -> None:
    array = codec_for(NAMED).arrow_column(encode(["rat 1/rec.bin"], store), column_context(NAMED, store))
    assert array is not None
    assert (array[0].as_py()["store"], array[0].as_py()["size"]) == ("raw", 5)
