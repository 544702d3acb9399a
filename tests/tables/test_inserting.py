"""Rows in: every source, every policy, and nothing left behind by what fails."""

import datetime as dt
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import djflow as dj
from djflow.errors import (
    DataTypeError,
    DjflowError,
    DuplicateError,
    IntegrityError,
    InvalidRowsError,
    MissingAttributeError,
    UnknownAttributeError,
)
from djflow.tables.schema import Schema

ROWS = [(1, "ann", 1.5), (2, "ben", None)]
DICTS = [{"subject": s, "name": n, "weight": w} for s, n, w in ROWS]


class Stream:
    """Arrow data that is known by its protocol only."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name : varchar(10)
        weight = null : float64
        """

    return Subject()


@pytest.fixture
def image(schema: Schema) -> Any:
    @schema
    class Image(dj.Manual):
        definition = """
        image : int32
        ---
        pixels : <npy@>
        """

    return Image()


def objects(tmp_path: Path) -> list[Path]:
    """The files of the store."""
    return sorted(path for path in (tmp_path / "store").rglob("*") if path.is_file())


def sources(tmp_path: Path) -> Iterator[Any]:
    frame = pl.DataFrame(DICTS)
    table = frame.to_arrow()
    frame.write_csv(tmp_path / "rows.csv")
    frame.write_parquet(tmp_path / "rows.parquet")
    yield DICTS
    yield ROWS
    yield [list(row) for row in ROWS]
    yield (dict(row) for row in DICTS)
    yield iter(ROWS)
    yield frame
    yield frame.lazy()
    yield frame.to_pandas()
    yield frame.to_pandas().set_index("subject")
    yield table
    yield table.to_reader(max_chunksize=1)
    yield table.to_batches()[0]
    yield Stream(table)
    yield tmp_path / "rows.csv"
    yield str(tmp_path / "rows.parquet")


def test_every_kind_of_source_gives_the_same_rows(subject: Any, tmp_path: Path) -> None:
    subject.insert([])
    for source in sources(tmp_path):
        subject.connection.query(f"TRUNCATE {subject.full_table_name}")
        subject.insert(source)
        assert subject.to_dicts() == DICTS, type(source)


def test_numpy_records_go_in(subject: Any) -> None:
    records = np.array(
        [(1, "ann", 1.5), (2, "ben", 2.5)], dtype=[("subject", "i4"), ("name", "U10"), ("weight", "f8")]
    )
    subject.insert(records)
    subject.insert1(np.array([(3, "cid", 3.5)], dtype=records.dtype)[0])
    assert subject.to_arrays("weight").tolist() == [1.5, 2.5, 3.5]


def test_an_empty_source_inserts_nothing(subject: Any) -> None:
    empty: list[Any] = [[], iter(()), pl.DataFrame(schema={"subject": pl.Int32, "name": pl.String})]
    for source in empty:
        subject.insert(source)
    assert not subject


def test_queries_are_inserted_on_the_server(schema: Schema, subject: Any) -> None:
    @schema
    class Copy(dj.Manual):
        definition = """
        copy : int64
        ---
        name : varchar(10)
        double = null : float64
        """

    subject.insert(ROWS)
    Copy().insert(subject.proj("name", copy="subject", double="weight * 2"))
    assert Copy().to_dicts() == [
        {"copy": 1, "name": "ann", "double": 3.0},
        {"copy": 2, "name": "ben", "double": None},
    ]
    with pytest.raises(UnknownAttributeError, match="'subject'"):
        Copy().insert(subject)
    with pytest.raises(MissingAttributeError, match="'name'"):
        Copy().insert(subject.proj(copy="subject"))
    Copy().insert(subject.proj(..., copy="subject") & "copy = 2", ignore_extra_fields=True, replace=True)
    assert len(Copy()) == 2
    with pytest.raises(DuplicateError):
        Copy().insert(subject.proj("name", copy="subject"))
    later = subject.proj("name", copy="subject + 1")
    Copy().insert(later, skip_duplicates=True, ignore_extra_fields=True)
    assert Copy().to_arrays("copy").tolist() == [1, 2, 3]


def test_a_generator_may_read_the_database_between_rows(schema: Schema, subject: Any) -> None:
    @schema
    class Copy(dj.Manual):
        definition = """
        copy : int32
        ---
        others : int64
        """

    subject.insert(ROWS)
    Copy().insert({"copy": row["subject"], "others": len(subject - row)} for row in subject)
    assert Copy().to_arrays("others").tolist() == [1, 1]
    with subject.connection.transaction:
        Copy().insert(
            ({"copy": row["subject"] + 10, "others": len(Copy())} for row in subject), skip_duplicates=True
        )
    assert len(Copy()) == 4


# policies


def test_duplicates_are_refused_skipped_or_replaced(subject: Any) -> None:
    subject.insert(ROWS)
    with pytest.raises(DuplicateError, match=r"\(subject\)=\(1\).*skip_duplicates=True.*replace=True"):
        subject.insert([(3, "cid", None), (1, "other", None)])
    assert len(subject) == 2
    subject.insert([(3, "cid", None), (1, "other", None)], skip_duplicates=True)
    assert subject.to_arrays("name").tolist() == ["ann", "ben", "cid"]
    subject.insert([(1, "dan", None), (4, "eve", 9.0)], replace=True)
    assert subject.to_arrays("name").tolist() == ["dan", "ben", "cid", "eve"]
    with pytest.raises(DjflowError, match="one of"):
        subject.insert(ROWS, replace=True, skip_duplicates=True)


def test_of_several_rows_with_one_key_the_first_is_kept_or_the_last_replaces(subject: Any) -> None:
    twice = [(1, "a", 1.0), (1, "b", 2.0)]
    with pytest.raises(DuplicateError):
        subject.insert(twice)
    subject.insert(twice, skip_duplicates=True)
    assert subject.fetch1("name") == "a"
    subject.insert(twice, replace=True)
    assert subject.fetch1("name") == "b"


def test_replacing_rows_that_have_children_keeps_the_children(schema: Schema, subject: Any) -> None:
    Subject = type(subject)  # noqa: N806 - a class

    @schema
    class Session(dj.Manual):
        definition = "-> Subject"

    subject.insert(ROWS)
    Session().insert([(1,), (2,)])
    subject.insert([(1, "new", None)], replace=True)
    assert len(Session()) == 2
    assert (subject & {"subject": 1}).fetch1("name") == "new"
    assert Subject.heading.names == subject.heading.names


def test_extra_fields_are_refused_or_ignored(subject: Any) -> None:
    row = {"subject": 1, "name": "ann", "colour": "red"}
    with pytest.raises(UnknownAttributeError, match="'colour'"):
        subject.insert1(row)
    subject.insert1(row, ignore_extra_fields=True)
    assert subject.fetch1("name") == "ann"


def test_chunks_commit_one_by_one(subject: Any) -> None:
    rows = [(n, "x", None) for n in range(10)]
    rows[7] = (0, "again", None)
    with pytest.raises(DuplicateError):
        subject.insert(rows, chunk_size=3)
    assert subject.to_arrays("subject").tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(DjflowError, match="chunk_size"):
        subject.insert(rows, chunk_size=0)


@pytest.mark.parametrize("size", [1, 3, 7, 100_000])
def test_any_chunk_size_inserts_all_rows_in_any_form(subject: Any, size: int) -> None:
    rows = [(n, "x" if n != 1 else "too long for it", None) for n in range(20)]
    with pytest.raises(DataTypeError) as caught:
        subject.insert(rows, chunk_size=size)
    assert caught.value.row == 1
    assert len(subject) == (size == 1)
    frame = pl.DataFrame({"subject": range(20), "name": "x"})
    subject.insert(frame, chunk_size=size, skip_duplicates=True)
    subject.insert(({"subject": 100 + n, "name": "y"} for n in range(20)), chunk_size=size)
    assert len(subject) == 40


def test_a_chunk_that_fails_removes_its_objects_and_no_others(image: Any, tmp_path: Path) -> None:
    rows = [(n, np.full(3, n)) for n in range(4)] + [(0, np.zeros(3))]
    with pytest.raises(DuplicateError):
        image.insert(rows, chunk_size=2)
    assert len(image) == 4
    assert len(objects(tmp_path)) == 4
    assert [ref.load().sum() for ref in image.to_arrays("pixels")] == [0, 3, 6, 9]


def test_a_failed_insert_leaves_neither_rows_nor_objects(image: Any, tmp_path: Path) -> None:
    image.insert1((0, np.zeros(2)))
    with pytest.raises(DuplicateError):
        image.insert([(1, np.ones(2)), (0, np.ones(2))])
    with pytest.raises(DataTypeError, match=r"row 1, column 'pixels'"):
        image.insert([(1, np.ones(2)), (2, "text")])

    def breaks() -> Iterator[Any]:
        for n in range(1, 300):  # more than one batch of encoded values
            yield (n, np.ones(2))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        image.insert(breaks())
    assert image.to_arrays("image").tolist() == [0]
    assert len(objects(tmp_path)) == 1


def test_rows_that_are_skipped_leave_no_objects_that_anyone_reads(image: Any) -> None:
    image.insert1((0, np.zeros(2)))
    image.insert([(0, np.ones(2)), (1, np.ones(2))], skip_duplicates=True)
    assert [ref.load().sum() for ref in image.to_arrays("pixels")] == [0, 2]


def test_computed_tables_take_direct_inserts_only_when_told(schema: Schema, subject: Any) -> None:
    Subject = type(subject)  # noqa: N806 - a class

    @schema
    class Result(dj.Computed):
        definition = """
        -> Subject
        ---
        x : float64
        """

        class Item(dj.Part):
            definition = """
            -> master
            item : int16
            """

    subject.insert(ROWS)
    with pytest.raises(DjflowError, match=r"populate\(\).*allow_direct_insert=True"):
        Result().insert1((1, 2.0))
    with pytest.raises(DjflowError, match="populate"):
        Result.Item().insert1((1, 1))
    Result().insert1((1, 2.0), allow_direct_insert=True)
    Result.Item().insert1((1, 1), allow_direct_insert=True)
    assert len(Result() * Result.Item()) == 1
    assert Subject.heading.primary_key == ("subject",)


# values


@pytest.fixture
def everything(schema: Schema) -> Any:
    @schema
    class Everything(dj.Manual):
        definition = """
        id : uuid
        ---
        f32 = null : float32
        f64 = null : float64
        flag = true : bool
        sex = 'U' : enum('M', 'F', 'U')
        born = "2020-01-01" : date
        seen = CURRENT_TIMESTAMP : datetime
        meta = null : json
        count = 7 : int16
        price = 1.50 : decimal(6,2)
        """

    return Everything()


def test_uuids_come_back_as_they_went_in(everything: Any) -> None:
    ids = sorted((uuid.uuid4() for _ in range(4)), key=str)
    everything.insert([{"id": ids[0]}, {"id": str(ids[1])}, {"id": ids[2].bytes}, {"id": ids[3].hex}])
    assert everything.keys() == [{"id": i} for i in ids]
    assert list(everything.to_arrays("id")) == ids
    assert everything.to_polars()["id"].to_list() == [str(i) for i in ids]
    assert len(everything & {"id": ids[2]}) == len(everything & f"id = '{ids[2]}'") == 1
    assert len(everything & [{"id": i} for i in ids[:2]]) == 2
    assert ids[0] in list(everything.to_pandas().index)


def test_nan_and_infinity_are_floats(everything: Any) -> None:
    values = [float("nan"), float("inf"), -float("inf"), np.float32("nan"), None]
    rows = [{"id": uuid.UUID(int=n), "f32": v, "f64": v} for n, v in enumerate(values)]
    everything.insert(rows)
    frame = everything.to_polars()
    assert frame["f64"].is_nan().to_list() == [True, False, False, True, None]
    assert frame["f32"].to_list()[1:3] == [float("inf"), -float("inf")]
    everything.insert(pl.DataFrame({"id": [str(uuid.UUID(int=9))], "f64": [float("nan")]}))
    assert np.isnan((everything & {"id": uuid.UUID(int=9)}).fetch1("f64"))


def test_integers_are_truth_values(everything: Any) -> None:
    for n, flag in enumerate((0, 1, False, np.True_)):
        everything.insert1({"id": uuid.UUID(int=n), "flag": flag})
    assert everything.to_arrays("flag").tolist() == [False, True, False, True]
    with pytest.raises(DataTypeError, match="'flag'"):
        everything.insert1({"id": uuid.UUID(int=9), "flag": 2})


def test_what_is_left_out_or_none_takes_its_default(everything: Any) -> None:
    before = dt.datetime.now(dt.UTC)
    everything.insert(
        [
            {"id": uuid.UUID(int=1)},
            {"id": uuid.UUID(int=2), "sex": None, "count": None, "seen": None, "flag": None},
            {"id": uuid.UUID(int=3), "sex": "F", "count": None},
            {"id": uuid.UUID(int=4), "sex": None, "count": 9},
        ]
    )
    rows = everything.to_dicts()
    assert [row["sex"] for row in rows] == ["U", "U", "F", "U"]
    assert [row["count"] for row in rows] == [7, 7, 7, 9]
    assert rows[0]["born"] == dt.date(2020, 1, 1)
    assert str(rows[0]["price"]) == "1.50"
    assert all(row["flag"] is True and row["meta"] is None for row in rows)
    assert all(abs((row["seen"].replace(tzinfo=dt.UTC) - before).days) <= 1 for row in rows)


def test_mistakes_name_row_column_and_value(subject: Any) -> None:
    with pytest.raises(DataTypeError, match=r"row 1, column 'subject'.*int32.*'two'") as caught:
        subject.insert([(1, "ann", None), ("two", "ben", None)])
    assert (caught.value.row, caught.value.column, caught.value.value) == (1, "subject", "two")
    with pytest.raises(MissingAttributeError, match="'name'"):
        subject.insert1({"subject": 1})
    with pytest.raises(InvalidRowsError, match="2 values for 3 attributes"):
        subject.insert1((1, "ann"))
    with pytest.raises(InvalidRowsError, match="insert1"):
        subject.insert({"subject": 1, "name": "ann"})
    assert not subject


# codecs


@pytest.fixture
def codecs(schema: Schema) -> Any:
    @schema
    class Scan(dj.Manual):
        definition = """
        scan : int32
        ---
        trace = null : <blob>
        big = null : <blob@>
        image = null : <npy@>
        stack = null : <zarr@>
        anything = null : <blob>
        """

    Scan().insert(
        [
            {
                "scan": n,
                "trace": np.arange(4.0) + n,
                "big": np.full(3, n),
                "image": np.full((2, 3), n, np.uint8),
                "stack": np.full((2, 2), n, np.int16),
                "anything": {"n": n} if n else "zero",
            }
            for n in range(3)
        ]
    )
    return Scan()


def test_encoded_values_come_back_in_every_form(codecs: Any) -> None:
    one = (codecs & {"scan": 1}).fetch1()
    for row in (one, codecs.to_dicts()[1], list(codecs)[1]):
        assert row["trace"].tolist() == [1, 2, 3, 4]
        assert row["big"].tolist() == [1, 1, 1]
        assert (np.asarray(row["image"]) == 1).all()
        assert row["image"].dtype == np.uint8
        assert row["stack"][:].sum() == 4
        assert row["anything"] == {"n": 1}
    trace, image, anything = codecs.to_arrays("trace", "image", "anything")
    assert [t[0] for t in trace] == [0, 1, 2]
    assert [i.shape for i in image] == [(2, 3)] * 3
    assert anything[0] == "zero"
    frame = codecs.to_pandas()
    assert frame.loc[2, "trace"].tolist() == [2, 3, 4, 5]
    assert frame.loc[2, "anything"] == {"n": 2}


def test_frames_hold_arrays_references_and_objects(codecs: Any) -> None:
    frame = codecs.to_polars()
    assert frame.schema["trace"] == pl.Array(pl.Float64, 4)
    assert frame.schema["big"] == pl.Array(pl.Int64, 3)
    assert frame.schema["image"] == pl.Struct
    assert frame.schema["stack"] == pl.Struct
    assert frame["anything"].to_list() == ["zero", {"n": 1}, {"n": 2}]
    table = codecs.to_arrow()
    assert pa.types.is_struct(table.schema.field("image").type)
    assert table.column("scan").to_pylist() == [0, 1, 2]


def test_frames_of_references_touch_no_object(codecs: Any, tmp_path: Path) -> None:
    lazy = codecs.proj("image", "stack")
    assert codecs
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    assert lazy.to_polars()["image"].struct.field("shape").to_list() == [[2, 3]] * 3
    assert lazy.to_arrow().num_rows == 3
    assert len(lazy.to_pandas()) == 3
    assert codecs.to_arrays("scan").tolist() == [0, 1, 2]
    reference = (lazy & {"scan": 1}).fetch1("image")
    assert reference.shape == (2, 3)
    with pytest.raises(dj.errors.StorageError):
        reference.load()
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    assert reference.load().sum() == 6


def test_encoded_columns_may_be_null(schema: Schema, codecs: Any) -> None:
    codecs.insert1({"scan": 9})
    row = (codecs & {"scan": 9}).fetch1()
    assert [row[name] for name in ("trace", "big", "image", "stack", "anything")] == [None] * 5
    assert codecs.to_polars()["trace"].to_list()[-1] is None
    assert len(codecs.to_arrow()) == 4
    assert schema.list_tables() == ["scan"]
    assert pd.isna(codecs.to_pandas().loc[9, "trace"])


def test_parents_that_do_not_exist_are_named(schema: Schema, subject: Any) -> None:
    Subject = type(subject)  # noqa: N806 - a class

    @schema
    class Session(dj.Manual):
        definition = "-> Subject"

    with pytest.raises(IntegrityError, match=r"\(subject\)=\(7\).*Insert it into subject first") as caught:
        Session().insert([{"subject": 7}])
    assert caught.value.key == "(subject)=(7)"
    assert Subject.heading.primary_key == ("subject",)
