"""Objects, frames and groups of arrays as columns of tables."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import zarr

import djflow as dj
from djflow.errors import ConflictError, DuplicateError, MissingExternalFile


def item_table(schema: dj.Schema, kind: str) -> Any:
    """A table with a column of a type."""

    class Item(dj.Manual):
        definition = f"""
        item : int32
        ---
        value = null : {kind}
        """

    return schema(Item)


def test_an_object_lives_as_long_as_its_row(schema: dj.Schema, tmp_path: Path) -> None:
    item = item_table(schema, "<object@>")
    top = tmp_path / "data"
    (top / "sub").mkdir(parents=True)
    (top / "sub" / "a").write_bytes(b"123")
    item().insert(
        [{"item": 1, "value": top}, {"item": 2, "value": (".bin", b"45")}, {"item": 3, "value": None}]
    )
    one, two, three = item().to_arrays("value")
    with one.open("sub/a") as file:
        assert (file.read(), two.read(), three) == (b"123", b"45", None)
    assert isinstance(one, dj.ObjectRef)
    assert one.download(tmp_path / "copy").joinpath("sub", "a").read_bytes() == b"123"
    assert item().to_polars()["value"].struct.field("size").to_list() == [3, 2, None]
    assert item().verify().is_empty()
    (Path(one.full_path) / "sub" / "a").unlink()
    (problem,) = item().verify()["problem"]
    assert problem == "missing"
    with pytest.raises(MissingExternalFile):
        one.open("sub/a")


def test_a_refused_insert_leaves_no_object(schema: dj.Schema, tmp_path: Path) -> None:
    item = item_table(schema, "<object@>")
    item().insert1((1, b"123"))
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    with pytest.raises(DuplicateError):
        item().insert([(2, b"4"), (1, b"5")])
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == files


@pytest.mark.parametrize("name", ["arrow", "parquet"])
def test_a_frame_is_scanned_from_its_row(name: str, schema: dj.Schema) -> None:
    item = item_table(schema, f"<{name}@>")
    frame = pl.DataFrame({"n": [1, 2, 3], "x": ["a", "b", "c"]})
    item().insert([(1, frame), (2, frame.lazy()), (3, frame.to_arrow())])
    refs = item().to_arrays("value")
    assert all(isinstance(ref, dj.FrameRef) and ref.to_polars().equals(frame) for ref in refs)
    assert refs[0].scan().filter(pl.col("n") > 2).collect().rows() == [(3, "c")]
    assert item().verify().is_empty()


def test_a_group_of_arrays_is_opened_from_its_row_alone(schema: dj.Schema) -> None:
    item = item_table(schema, "<zarr@>")
    item().insert1((1, {"a": np.arange(3), "b": {"c": np.eye(2)}}))
    group = item().fetch1("value")
    assert isinstance(group, zarr.Group)
    inner: Any = group["b/c"]
    assert np.array_equal(inner[:], np.eye(2))
    assert item().verify().is_empty()


def test_the_same_object_may_be_inserted_again_where_equal_rows_are_skipped(schema: dj.Schema) -> None:
    item = item_table(schema, "<object@>")
    item().insert1((1, b"123"))
    item().insert1((1, b"123"), on_conflict="match")
    with pytest.raises(ConflictError):
        item().insert1((1, b"124"), on_conflict="match")
