"""What `<zarr@>` gives is Zarr's, and a handle."""

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from djflow.errors import CorruptObjectError, DjflowError, MissingExternalFile
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for
from djflow.storage.local import LocalStore
from djflow.testing.codecs import column_context

TYPE = CodecType("zarr", "main")
FRAMES = np.arange(60.0, dtype="f4").reshape(5, 4, 3)
TREE = {"frames": FRAMES, "inner": {"times": np.arange(5)}}


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", "main")


def stored(value: Any, store: LocalStore) -> Any:
    context = column_context(TYPE, store, rows=1)
    return codec_for(TYPE).decode_column(codec_for(TYPE).encode_column([value], context), context)[0]


def test_an_array_is_zarrs_and_a_handle(store: LocalStore, tmp_path: Path) -> None:
    array = stored(FRAMES, store)
    assert zarr.Array in type(array).mro()
    assert (array.path, array.nbytes) == ("", FRAMES.nbytes)
    assert array.full_path == (store.root / array.to_json()["path"]).as_posix()
    assert array.to_json()["store"] == "main"
    assert array.verify()
    opened: Any = zarr.open_array(array.fsmap, mode="r")
    assert np.array_equal(opened[:], FRAMES)
    copy: Any = zarr.open_array(array.download(tmp_path / "copy"), mode="r")
    assert np.array_equal(copy[:], FRAMES)
    assert np.array_equal(array.read(), FRAMES)
    target = np.zeros_like(FRAMES)
    array.read_into(target)
    assert np.array_equal(target, FRAMES)


def test_members_of_a_group_are_handles_of_their_parts(store: LocalStore, tmp_path: Path) -> None:
    group = stored(TREE, store)
    assert zarr.Group in type(group).mro()
    times = group["inner"]["times"]
    assert times.full_path == f"{group.full_path}/inner/times"
    assert times.to_json() == group["inner/times"].to_json() == group.to_json()
    copy: Any = zarr.open_array(times.download(tmp_path / "times"), mode="r")
    assert copy[:].tolist() == [0, 1, 2, 3, 4]
    assert group.nbytes == FRAMES.nbytes + 40
    read = group.read()
    assert np.array_equal(read["frames"], FRAMES)
    assert read["inner"]["times"].tolist() == [0, 1, 2, 3, 4]


def test_verifying_tells_damage_and_loss(store: LocalStore) -> None:
    group = stored(TREE, store)
    assert group["inner"].verify()
    (chunk,) = Path(group["frames"].full_path).rglob("c/0/0/0")
    content = chunk.read_bytes()
    chunk.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CorruptObjectError, match="checksum"):
        group["inner"].verify()
    store.remove(group.to_json()["path"])
    with pytest.raises(MissingExternalFile):
        group.verify()


def test_what_was_pickled_opens_the_store_anew(store: LocalStore) -> None:
    for value in (stored(FRAMES, store), stored(TREE, store)["frames"]):
        again = pickle.loads(pickle.dumps(value))  # noqa: S301 - pickled in the same line
        assert (type(again), again.to_json()) == (type(value), value.to_json())
        assert np.array_equal(again[1:3], FRAMES[1:3])
    group = pickle.loads(pickle.dumps(stored(TREE, store)))  # noqa: S301 - pickled in the same line
    assert np.array_equal(group["inner/times"][:], range(5))


def test_an_array_of_dask_has_the_stored_chunks_and_can_be_sent_away(store: LocalStore) -> None:
    source = zarr.create_array({}, data=FRAMES, chunks=(2, 2, 3), shards=(4, 4, 3))
    array = stored(source, store)
    lazy = array.to_dask_array()
    assert lazy.chunks == ((4, 1), (4,), (3,))
    again = pickle.loads(pickle.dumps(lazy.sum(axis=0)))  # noqa: S301 - pickled in the same line
    assert np.array_equal(again.compute(scheduler="sync"), FRAMES.sum(axis=0))
    assert array.to_dask_array(chunks=(1, -1, -1)).numblocks == (5, 1, 1)
    member = stored(TREE, store)
    names = {member["frames"].to_dask_array().name, member["inner/times"].to_dask_array().name}
    assert len(names) == 2


def test_xarray_has_the_names_of_dimensions_and_attributes(store: LocalStore) -> None:
    pytest.importorskip("xarray")
    named = zarr.create_array({}, data=FRAMES, dimension_names=("t", None, "x"), attributes={"unit": "mV"})
    array = stored(named, store).to_xarray()
    assert (array.dims, array.attrs, array.name) == (("t", "dim_1", "x"), {"unit": "mV"}, None)
    assert array.chunks is not None
    assert np.array_equal(array.sel(x=1) if "x" in array.coords else array.isel(x=1), FRAMES[:, :, 1])


def test_xarray_has_a_group_as_a_dataset(store: LocalStore) -> None:
    pytest.importorskip("xarray")
    source = zarr.create_group({}, attributes={"rate": 30})
    source.create_array("frames", data=FRAMES, dimension_names=("t", "y", "x"))
    source.create_array("t", data=np.arange(5) / 30, dimension_names=("t",))
    source.create_array("mask", data=np.ones((2, 2), bool))
    found = stored(source, store).to_xarray()
    assert found.attrs == {"rate": 30}
    assert dict(found.sizes) == {"t": 5, "y": 4, "x": 3, "mask_dim_0": 2, "mask_dim_1": 2}
    assert found["frames"].chunks is not None
    assert np.array_equal(found["frames"].sel(t=1 / 30), FRAMES[1])
    assert stored(source, store)["frames"].to_xarray().name == "frames"


def test_a_missing_library_is_named(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    array = stored(FRAMES, store)
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(DjflowError, match="pip install xarray"):
        array.to_xarray()
    monkeypatch.setitem(sys.modules, "dask.array", None)
    with pytest.raises(DjflowError, match=r"pip install 'djflow\[dask\]'"):
        array.to_dask_array()
