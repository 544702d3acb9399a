"""Every codec of stores, on a real S3 server."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zarr

from djflow.errors import MissingExternalFile
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.store import Store
from djflow.testing.codecs import column_context

FRAME = pl.DataFrame({"n": [1, 2, None], "text": ["a", "ü", None]})


def stored(name: str, value: Any, store: Store, folder: Path = Path()) -> Any:
    type_ = CodecType(name, "main")
    context = replace(column_context(type_, store, rows=1), download_path=folder)
    column = codec_for(type_).encode_column([value], context)
    return codec_for(type_).decode_column(column, context)[0]


def test_arrays(s3_store: Store) -> None:
    array = np.arange(12.0).reshape(3, 4)
    ref = stored("npy", array, s3_store)
    assert np.array_equal(ref[1:, ::2], array[1:, ::2])
    assert np.array_equal(pickle.loads(pickle.dumps(ref)).load(), array)  # noqa: S301 - pickled in the same line
    assert np.array_equal(stored("zarr", array, s3_store)[1], array[1])
    group = stored("zarr", {"a": array, "b": {"c": array[0]}}, s3_store)
    assert np.array_equal(group["b/c"][:], array[0])


def test_files_and_folders(s3_store: Store, tmp_path: Path) -> None:
    top = tmp_path / "data"
    (top / "sub").mkdir(parents=True)
    (top / "a").write_bytes(b"1" * 100_000)
    (top / "sub" / "b").write_bytes(b"22")
    ref = stored("object", top, s3_store)
    assert (ref.listdir(), ref.size, ref.verify()) == (["a", "sub"], 100_002, True)
    with ref.open("sub/b", "r") as file:
        assert file.read() == "22"
    copy = ref.download(tmp_path / "copy")
    assert (copy / "a").read_bytes() == (top / "a").read_bytes()
    s3_store.remove(f"{ref.path}/a")
    with pytest.raises(MissingExternalFile):
        ref.open("a").read()


def test_a_folder_of_zarr_is_a_mapping(s3_store: Store, tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.arange(6), chunks=(2,))
    ref = stored("object", (".zarr", tmp_path / "a.zarr"), s3_store)
    assert "zarr.json" in ref.fsmap
    found: Any = zarr.open_array(ref.fsmap, mode="r")
    assert found[:].tolist() == list(range(6))


@pytest.mark.parametrize("name", ["arrow", "parquet"])
def test_frames(name: str, s3_store: Store) -> None:
    ref = stored(name, FRAME, s3_store)
    assert ref.scan().filter(pl.col("n") == 2).select("text").collect().rows() == [("ü",)]
    assert ref.to_polars().equals(FRAME)
    assert ref.verify()
    s3_store.remove(ref.path)
    with pytest.raises(MissingExternalFile):
        ref.scan()


def test_attachments_and_users_files(s3_store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert Path(stored("attach", tmp_path / "a.txt", s3_store, tmp_path / "down")).read_text() == "text"
    s3_store.put("raw/file", b"mine")
    assert stored("filepath", "raw/file", s3_store).read() == b"mine"
    assert stored("filepath", "raw", s3_store).listdir() == ["file"]
