"""Values that look like what a codec takes, and lose a part of it or cannot be read again."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

from djflow.errors import DataTypeError, DefinitionError, InvalidArgumentError
from djflow.storage import blob
from djflow.storage.chunks import Chunks
from djflow.storage.codec import Codec
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

MASKED = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
DEFINITION = """
recording : int32
---
text = null : <blob>
far = null : <blob@>
trace = null : <npy@>
movie = null : <zarr@>
wave = null : <tensor>
spikes = null : <parquet@>
events = null : <arrow@>
raw = null : <object@>
plain = null : bytes
"""


@pytest.fixture
def recording(schema: Schema) -> Manual:
    """An empty table."""
    declared = schema(type("Recording", (Manual,), {"definition": DEFINITION}))
    schema.create()
    table = declared()
    assert isinstance(table, Manual)
    return table


def test_texts_in_blobs_come_as_texts_in_polars(recording: Manual) -> None:
    recording.insert([{"recording": 1, "text": "a", "far": "b"}, {"recording": 2, "text": "c"}])

    frame = recording.to_polars()
    assert frame["text"].to_list() == ["a", "c"]
    assert frame["far"].to_list() == ["b", None]
    assert recording.lazy().collect().equals(frame)


def test_polars_gives_decoded_values_whatever_type_keeps_them(schema: Schema) -> None:
    class Grade(Codec):
        name = "grade_in_review"

        def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
            del is_store
            return "int32"

        def encode(self, value: Any, *, key: Any = None, store_name: str | None = None) -> int:
            del key, store_name
            return "abc".index(value)

        def decode(self, stored: Any, *, key: Any = None) -> str:
            del key
            return "abc"[stored]

    declared = schema(type("Exam", (Manual,), {"definition": "exam : int32\n---\ngrade : <grade_in_review>"}))
    exam = declared()
    exam.insert([(1, "b"), (2, "a")])
    assert exam.to_polars()["grade"].to_list() == exam.to_arrays("grade").tolist() == ["b", "a"]


@pytest.mark.parametrize("attribute", ["movie", "wave", "trace"])
def test_no_mask_of_an_array_is_lost(recording: Manual, attribute: str) -> None:
    with pytest.raises(DataTypeError, match="mask of an array is not kept"):
        recording.insert1({"recording": 1, attribute: MASKED})
    assert not len(recording)


@pytest.mark.parametrize("attribute", ["movie", "trace"])
def test_no_mask_of_a_block_is_lost(recording: Manual, attribute: str) -> None:
    with pytest.raises(DataTypeError, match="mask of an array is not kept"):
        recording.insert1({"recording": 1, attribute: Chunks([MASKED])})
    assert not len(recording)


@pytest.mark.parametrize("attribute", ["movie", "trace"])
@pytest.mark.parametrize(
    "wrong", [{"shape": (-1, 2)}, {"shape": (None, -2)}, {"chunks": (0, 2)}, {"shape": (1.0, 2)}]
)
def test_chunks_have_extents_that_arrays_can_have(
    recording: Manual, attribute: str, wrong: dict[str, Any]
) -> None:
    with pytest.raises(DataTypeError, match=r"extent in the|as an integer"):
        recording.insert1({"recording": 1, attribute: Chunks([np.zeros((1, 2))], dtype="f8", **wrong)})
    assert not len(recording)


@pytest.mark.parametrize("depth", [1, 3000])
def test_a_group_has_names_that_files_can_have(recording: Manual, depth: int) -> None:
    tree: dict[str, Any] = {"x" * 300: np.arange(3)}
    for _ in range(depth):
        tree = {"below": tree}
    with pytest.raises(DataTypeError, match=r"too long|too deep"):
        recording.insert1({"recording": 1, "movie": tree})
    assert not len(recording)


def test_record_arrays_are_read_again(recording: Manual) -> None:
    records = np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")])
    recording.insert1({"recording": 1, "trace": records})
    trace = recording.fetch1("trace")
    assert trace.dtype == records.dtype
    assert trace.load().tolist() == [(1, 2.5)]


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_in_a_blob_is_an_array() -> None:
    assert blob.unpack(blob.pack(np.matrix([[1, 2], [3, 4]]))).tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("attribute", "frame"),
    [
        ("spikes", pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)})),
        ("events", pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)})),
        ("spikes", pa.table([[1], [2]], names=["x", "x"])),
        ("spikes", pd.DataFrame({"x": [1j]})),
        ("spikes", pa.table({"x": pa.RunEndEncodedArray.from_arrays(pa.array([1], pa.int32()), [1])})),
        ("spikes", pl.Series("x", [1])),
        ("events", pd.Series([1], name="x")),
        ("events", pa.chunked_array([[1]])),
    ],
    ids=["objects", "objects in Arrow", "two of a name", "complex", "runs", "polars", "pandas", "arrow"],
)
def test_what_no_frame_can_hold_is_refused(recording: Manual, attribute: str, frame: Any) -> None:
    with pytest.raises(DataTypeError, match=f"column '{attribute}'"):
        recording.insert1({"recording": 1, attribute: frame})
    assert not len(recording)


def test_reading_an_array_never_empties_its_file(recording: Manual) -> None:
    recording.insert1({"recording": 1, "trace": np.arange(3)})
    mode: Any = "w+"
    with pytest.raises(InvalidArgumentError, match="mmap_mode"):
        recording.fetch1("trace").load(mode)
    assert recording.fetch1("trace").load().tolist() == [0, 1, 2]


def test_an_array_of_a_row_is_not_changed_in_place(recording: Manual) -> None:
    recording.insert1({"recording": 1, "trace": np.arange(3)})
    trace = recording.fetch1("trace")
    with pytest.raises(TypeError, match="in place"):
        trace += 1
    with pytest.raises(TypeError, match="in place"):
        np.add(trace, 1, out=trace)
    assert (trace + 1).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ("trace", "<zarr@>"),
        ("trace", "<blob@>"),
        ("trace", "varchar(2000)"),
        ("text", "<blob@>"),
        ("far", "<blob>"),
        ("far", "<hash@>"),
        ("text", "<tensor>"),
        ("plain", "<blob>"),
    ],
)
def test_a_query_gives_a_codec_nothing_that_it_cannot_read(
    recording: Manual, schema: Schema, stored: str, wanted: str
) -> None:
    recording.insert1({"recording": 1, "trace": np.arange(3), "text": "a", "far": "b", "plain": b"c"})
    definition = f"recording : int32\n---\n{stored} = null : {wanted}"
    other = schema(type("Other", (Manual,), {"definition": definition}))()
    with pytest.raises(DataTypeError, match="a query gives what is stored for"):
        other.insert(recording.proj(stored))
    assert not len(other)


def test_a_query_gives_references_to_any_store(recording: Manual, schema: Schema) -> None:
    recording.insert1({"recording": 1, "trace": np.arange(3)})
    definition = "recording : int32\n---\nshape = null : json\ntrace = null : <npy@elsewhere>"
    other = schema(type("Other", (Manual,), {"definition": definition}))()
    other.insert(recording.proj("trace"))
    assert other.fetch1("trace").load().tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["", "two words", "at@store", 5])
def test_a_codec_has_a_name_that_definitions_can_tell(name: Any) -> None:
    with pytest.raises(DefinitionError, match="has no name"):
        type("Nameless", (Codec,), {"name": name})


def test_no_labels_of_xarray_are_lost(recording: Manual) -> None:
    labelled = xr.Dataset({"x": ("time", [1.0, 2.0])}, coords={"time": [10, 20]})
    for value in (labelled, labelled["x"], {"below": labelled["x"]}):
        with pytest.raises(DataTypeError, match="labels of xarray"):
            recording.insert1({"recording": 1, "movie": value})

    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        labelled.to_zarr(staged.zarr("movie").store, mode="w", consolidated=False)
    found = recording.fetch1("movie").to_xarray()
    assert found["time"].to_numpy().tolist() == [10, 20]
    assert recording.verify().is_empty()


@pytest.mark.parametrize("attribute", ["text", "far"])
def test_encoded_values_are_not_encoded_again(recording: Manual, attribute: str) -> None:
    recording.insert1({"recording": 1, attribute: {"a": 1}})
    rows = recording.to_arrow().set_column(0, "recording", pa.array([2], pa.int32()))
    with pytest.raises(DataTypeError, match="has encoded"):
        recording.insert(rows.select(["recording", attribute]))
    assert len(recording) == 1
