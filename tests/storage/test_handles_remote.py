"""Handles of objects on a real S3 server."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zarr

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.model.types import CodecType
from djflow.relation.stored_column import StoredColumn
from djflow.storage.codec import codec_for
from djflow.storage.codecs import NpyRef
from djflow.storage.codecs.open_reference import open_reference
from djflow.storage.codecs.references import reference_column
from djflow.storage.store import Store
from djflow.testing.codecs import column_context

LARGE = np.arange(1 << 18, dtype="f8").reshape(1 << 12, 1 << 6)  # 2 MiB


def column(name: str, values: list[Any], store: Store) -> tuple[list[Any], pl.Series]:
    """The handles of a column, and its structs."""
    type_ = CodecType(name, "main")
    context = column_context(type_, store, rows=len(values))
    encoded = codec_for(type_).encode_column(values, context)
    return codec_for(type_).decode_column(encoded, context), pl.Series(reference_column(encoded))


def test_parts_of_an_array(s3_store: Store, tmp_path: Path) -> None:
    ((ref,), _) = column("npy", [LARGE], s3_store)
    assert np.array_equal(ref[100:103, 5], LARGE[100:103, 5])
    assert np.array_equal(ref[-1], LARGE[-1])
    assert not ref.is_loaded
    lazy = pickle.loads(pickle.dumps(ref.to_dask_array(chunks=(1024, -1))))  # noqa: S301 - pickled just now
    assert np.array_equal(lazy[1000:1100].compute(scheduler="threads"), LARGE[1000:1100])
    assert ref.verify()
    assert np.array_equal(np.load(ref.download(tmp_path / "a.npy")), LARGE)
    with ref.fs.open(ref.full_path) as file:
        assert np.array_equal(np.load(file), LARGE)


def test_arrays_and_groups_of_zarr(s3_store: Store, tmp_path: Path) -> None:
    (array, group), _ = column("zarr", [LARGE, {"a": {"b": np.arange(5)}}], s3_store)
    assert array.verify()
    assert group.verify()
    copy: Any = zarr.open_array(group["a/b"].download(tmp_path / "b"), mode="r")
    assert copy[:].tolist() == [0, 1, 2, 3, 4]
    mapped: Any = zarr.open_array(array.fsmap, mode="r")
    assert np.array_equal(mapped[5], LARGE[5])
    lazy = pickle.loads(pickle.dumps(array.to_dask_array()))  # noqa: S301 - pickled just now
    assert np.array_equal(lazy[:, 3].compute(scheduler="threads"), LARGE[:, 3])


@pytest.mark.parametrize("name", ["npy", "zarr"])
def test_a_column_at_once(name: str, s3_store: Store) -> None:
    refs, structs = column(name, [np.full((4, 3), i) for i in range(12)], s3_store)
    opened = [open_reference(told, s3_store) for told in structs]
    for whole in (StoredColumn(refs), StoredColumn(opened)):
        assert np.array_equal(whole.to_numpy()[:, 3, 2], range(12))
        assert [value[0, 0] for value in whole.iter(memory=300)] == list(range(12))
        assert whole.nbytes == 12 * 96
    s3_store.remove(structs.struct.field("path")[7])
    assert StoredColumn(refs).verify().select("row", "problem").rows() == [(7, "missing")]


@pytest.mark.parametrize(("name", "begin"), [("parquet", b"PAR1"), ("arrow", b"ARROW1")])
def test_frames_open_from_their_paths_alone(name: str, begin: bytes, s3_store: Store, tmp_path: Path) -> None:
    (_, structs) = column(name, [pl.DataFrame({"n": [1, 2, 3]})], s3_store)
    path = structs.struct.field("path")[0]
    frame: Any = open_reference({"path": path}, s3_store)
    assert (frame.columns, frame.shape, frame.read()["n"].to_list()) == (["n"], (3, 1), [1, 2, 3])
    with frame.open() as file:
        assert file.read(len(begin)) == begin
    assert frame.download(tmp_path).name == path.rpartition("/")[2]
    assert pickle.loads(pickle.dumps(frame)) == frame  # noqa: S301 - pickled just now
    s3_store.put(path, b"no frame")
    with pytest.raises(CorruptObjectError, match="Not a frame"):
        open_reference({"path": path}, s3_store)
    s3_store.remove(path)
    with pytest.raises(MissingExternalFile):
        open_reference({"path": path}, s3_store)


def test_files_open_from_their_paths_alone(s3_store: Store) -> None:
    s3_store.put("raw/a.bin", b"12")
    assert open_reference({"path": "raw/a.bin"}, s3_store).read() == b"12"
    folder: Any = open_reference({"path": "raw"}, s3_store)
    assert (folder.is_dir, folder.listdir()) == (True, ["a.bin"])
    s3_store.put("raw/a.npy", s3_store.get(column("npy", [LARGE], s3_store)[0][0].path))
    array = open_reference({"path": "raw/a.npy"}, s3_store)
    assert isinstance(array, NpyRef)
    assert (array.shape, array.dtype) == (LARGE.shape, LARGE.dtype)
