"""`<arrow@>` and `<parquet@>`: frames as values."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from djflow.errors import CorruptObjectError, DataTypeError, MissingExternalFile
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.codecs.references import REFERENCE
from djflow.storage.handles import FrameRef
from djflow.storage.local import LocalStore
from djflow.storage.store import Store
from djflow.testing.codecs import CodecContract, column_context
from djflow.testing.stores import MemoryStore

FRAME = pl.DataFrame({"n": [1, 2, None], "text": ["a", "ü", None], "xs": [[1.5], [], None]})
FORMATS = ["arrow", "parquet"]


class FrameContract(CodecContract):
    values = (FRAME, pl.DataFrame({"empty": []}, schema={"empty": pl.Int8}))

    def same(self, decoded: Any, value: Any) -> bool:
        return bool(decoded.to_polars().equals(value) and decoded.verify())


class TestArrow(FrameContract):
    type = CodecType("arrow", "main")


class TestParquet(FrameContract):
    type = CodecType("parquet", "main")


def encode(name: str, values: list[Any], store: Store) -> pa.Array:
    type_ = CodecType(name, "main")
    return codec_for(type_).encode_column(values, column_context(type_, store, rows=len(values)))


def stored(name: str, value: Any, store: Store) -> FrameRef:
    type_ = CodecType(name, "main")
    (ref,) = codec_for(type_).decode_column(encode(name, [value], store), column_context(type_, store))
    assert isinstance(ref, FrameRef)
    return ref


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    # A name that looks like a pattern of names.
    return MemoryStore("main") if request.param == "memory" else LocalStore(tmp_path / "[a]*", "main")


@pytest.mark.parametrize("name", FORMATS)
def test_a_frame_is_scanned_lazily(name: str, store: Store) -> None:
    ref = stored(name, FRAME, store)
    assert ref.scan().filter(pl.col("n") == 2).select("text").collect().rows() == [("ü",)]
    assert ref.scan().collect().equals(FRAME)
    assert ref.to_polars().equals(FRAME)
    assert ref.to_arrow().column("n").to_pylist() == [1, 2, None]
    assert pl.DataFrame(ref).equals(FRAME)


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_frame_is_like_is_known_without_reading(name: str) -> None:
    store = MemoryStore("main")
    ref = stored(name, FRAME, store)
    assert (ref.shape, ref.columns, len(ref), ref.store) == ((3, 3), ["n", "text", "xs"], 3, "main")
    assert repr(ref) == "FrameRef(3 rows, n: int64, text: large_string, xs: large_list<item: double>)"
    assert ref.path.endswith(f".{name}")
    assert ref.size == store.size(ref.path)
    assert store.reads == []


@pytest.mark.parametrize("name", FORMATS)
def test_frames_of_all_libraries_are_taken(name: str, store: Store) -> None:
    table = FRAME.to_arrow()
    batch = table.to_batches()[0]
    for value in (FRAME.lazy(), table, batch, table.to_reader(), stored(name, FRAME, store)):
        assert stored(name, value, store).to_polars().equals(FRAME)
    indexed = pd.DataFrame({"x": [1.5, 2.5]}, index=pd.Index(["a", "b"], name="key"))
    pd.testing.assert_frame_equal(stored(name, indexed, store).to_pandas(), indexed)


@pytest.mark.parametrize("name", FORMATS)
def test_equal_frames_are_equal_references(name: str, store: Store) -> None:
    one, other = stored(name, FRAME, store), stored(name, FRAME, store)
    assert one.path != other.path
    assert one == other
    assert hash(one) == hash(other)
    assert one != stored(name, FRAME.head(1), store)
    again = pickle.loads(pickle.dumps(one))  # noqa: S301 - pickled in the same line
    assert again == one


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_damage_and_loss_are_typed_errors(name: str, kind: str, tmp_path: Path) -> None:
    store: Store = MemoryStore("main") if kind == "memory" else LocalStore(tmp_path, "main")
    ref = stored(name, FRAME, store)
    content = store.get(ref.path)
    for damaged in (content[:-3], b"", content[:7]):
        store.put(ref.path, damaged)
        for read in (ref.to_arrow, ref.to_polars, ref.verify):
            with pytest.raises(CorruptObjectError):
                read()
    store.remove(ref.path)
    for read in (ref.to_arrow, ref.scan, ref.verify):
        with pytest.raises(MissingExternalFile):
            read()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("bad", [[1, 2], np.eye(2), {"a": [1]}, b"PAR1"])
def test_what_is_no_frame_is_told_with_its_row_and_nothing_is_written(name: str, bad: Any) -> None:
    store = MemoryStore()
    with pytest.raises(DataTypeError, match="stores a frame") as caught:
        encode(name, [FRAME, None, bad], store)
    assert caught.value.row == 2
    assert not store.files


@pytest.mark.parametrize("name", FORMATS)
def test_references_are_structs_in_arrow(name: str) -> None:
    store, type_ = MemoryStore("main"), CodecType(name, "main")
    array = codec_for(type_).arrow_column(encode(name, [FRAME, None], store), column_context(type_, store))
    assert array is not None
    assert array.type == REFERENCE
    assert (array[0].as_py()["shape"], array[1].as_py()) == ([3, 3], None)
