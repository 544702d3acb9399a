"""Whatever holds the rows, the table gets the same batches."""

import datetime as dt
from collections import namedtuple
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from djflow.errors import InvalidRowsError
from djflow.ingest.chunk import FRAME_ROWS, PYTHON_ROWS
from djflow.ingest.prepare import prepare
from djflow.ingest.sources import read_source
from djflow.model.names import TableName
from djflow.model.table import Attribute, Heading, Null, Table
from djflow.model.types import CodecType, CoreType

INT32, TEXT, DATE, FLOAT = (
    CoreType("int32"),
    CoreType("varchar", (20,)),
    CoreType("date"),
    CoreType("float64"),
)
SUBJECT = Table(
    TableName("lab", "subject"),
    "",
    (
        Attribute("subject_id", INT32, INT32, in_key=True),
        Attribute("name", TEXT, TEXT),
        Attribute("dob", DATE, DATE),
        Attribute("weight", FLOAT, FLOAT, nullable=True, default=Null()),
    ),
)
NAMES = SUBJECT.heading.names
ROWS: list[tuple[Any, ...]] = [(1, "Ada", dt.date(2024, 1, 2), 20.5), (2, "Bo", dt.date(2024, 3, 4), None)]
DICTS = [dict(zip(NAMES, row, strict=True)) for row in ROWS]
Record = namedtuple("Record", ["subject_id", "name", "dob", "weight"])  # noqa: PYI024 - users' namedtuples have no types


def polars_frame() -> pl.DataFrame:
    return pl.DataFrame(DICTS)


def structured() -> np.ndarray[Any, Any]:
    fields = [("subject_id", "i8"), ("name", "U5"), ("dob", "M8[D]"), ("weight", "f8")]
    return np.array([(1, "Ada", "2024-01-02", 20.5), (2, "Bo", "2024-03-04", 7.0)], dtype=fields)


def indexed_pandas() -> pd.DataFrame:
    return pd.DataFrame(DICTS).set_index("subject_id")


def generator() -> Iterator[dict[str, Any]]:
    yield from DICTS


class Stream:
    """Has rows only as an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return polars_frame().to_arrow().__arrow_c_stream__(requested_schema)


class Batch:
    """Has rows only as one Arrow array of structs."""

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return polars_frame().to_arrow().to_batches()[0].__arrow_c_array__(requested_schema)


def rows_of(source: Any, table: Table = SUBJECT) -> list[dict[str, Any]]:
    return [row for batch in prepare(source, table) for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "source",
    [
        lambda: DICTS,
        lambda: tuple(DICTS),
        generator,
        lambda: ROWS,
        lambda: [list(row) for row in ROWS],
        lambda: [Record(*row) for row in ROWS],
        lambda: [DICTS[0], ROWS[1]],
        lambda: (pd.Series(row) for row in DICTS),
        polars_frame,
        lambda: polars_frame().lazy(),
        lambda: pd.DataFrame(DICTS),
        indexed_pandas,
        lambda: polars_frame().to_arrow(),
        lambda: polars_frame().to_arrow().to_batches()[0],
        lambda: polars_frame().to_arrow().to_reader(),
        Stream,
        Batch,
    ],
)
def test_every_source_gives_the_same_rows(source: Callable[[], Any]) -> None:
    assert rows_of(source()) == DICTS


@pytest.mark.parametrize("form", [lambda a: a, list, lambda a: a.view(np.recarray)])
def test_structured_arrays_and_their_records_go_by_field_name(
    form: Callable[[np.ndarray[Any, Any]], Any],
) -> None:
    assert rows_of(form(structured())) == [DICTS[0], DICTS[1] | {"weight": 7.0}]


def test_a_matrix_is_read_by_position() -> None:
    table = Table(SUBJECT.name, "", SUBJECT.columns[:1] + SUBJECT.columns[3:])
    assert rows_of(np.array([[1, 2.5], [2, 3.5]]), table) == [
        {"subject_id": 1, "weight": 2.5},
        {"subject_id": 2, "weight": 3.5},
    ]


@pytest.mark.parametrize("form", [Path, str])
def test_files_are_read_by_their_ending(tmp_path: Path, form: Callable[[Path], Any]) -> None:
    polars_frame().write_csv(tmp_path / "rows.csv")
    pq.write_table(polars_frame().to_arrow(), tmp_path / "rows.parquet")
    assert rows_of(form(tmp_path / "rows.csv")) == rows_of(form(tmp_path / "rows.parquet")) == DICTS


def test_a_csv_field_keeps_the_text_that_looks_like_a_number(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("subject_id,name,dob,weight\n1,007,2024-01-02,\n2,,2024-01-02,1e3\n")
    assert [(row["name"], row["weight"]) for row in rows_of(path)] == [("007", None), ("", 1000.0)]


def test_an_absent_key_of_a_dict_counts_as_none() -> None:
    assert rows_of([DICTS[0], {k: v for k, v in DICTS[1].items() if k != "weight"}]) == DICTS


def test_nan_in_pandas_marks_what_is_missing_unless_a_float_is_required() -> None:
    required = Attribute("f", FLOAT, FLOAT)
    columns = (Attribute("n", INT32, INT32, nullable=True, default=Null()), required, SUBJECT.columns[3])
    nan = float("nan")
    frame = pd.DataFrame({"n": [5, None], "f": [1.5, nan], "weight": [1.5, nan]})
    for form in (frame, frame.astype(object)):
        rows = rows_of(form, Table(SUBJECT.name, "", columns))
        assert [(row["n"], row["weight"]) for row in rows] == [(5, 1.5), (None, None)]
        assert np.isnan(rows[1]["f"])


def test_nan_elsewhere_is_a_float_like_any_other() -> None:
    (row,) = rows_of([DICTS[0] | {"weight": float("nan")}])
    assert np.isnan(row["weight"])


def test_polars_objects_stay_the_objects_they_are() -> None:
    blob = Attribute("value", CodecType("blob"), CoreType("bytes"))
    value = {"any": object()}
    frame = pl.DataFrame({"value": pl.Series([value], dtype=pl.Object)})
    (chunk,) = read_source(frame, Heading((blob,)))
    assert chunk.columns["value"][0] is value


def test_a_generator_is_consumed_chunk_by_chunk() -> None:
    taken = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal taken
        for taken in range(1, 2 * PYTHON_ROWS + 1):
            yield (taken,)

    chunks = read_source(rows(), Heading(SUBJECT.columns[:1]))
    assert next(chunks).rows == taken == PYTHON_ROWS
    assert next(chunks).first_row == PYTHON_ROWS


def test_large_frames_come_in_slices_whose_rows_are_numbered_on() -> None:
    frame = pl.DataFrame({"subject_id": range(FRAME_ROWS + 10)})
    heading = Heading(SUBJECT.columns[:1])
    for source in (frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), frame.to_arrow().to_reader()):
        chunks = list(read_source(source, heading))
        assert sum(chunk.rows for chunk in chunks) == FRAME_ROWS + 10
        assert max(chunk.rows for chunk in chunks) <= FRAME_ROWS
        assert [chunk.first_row for chunk in chunks] == list(np.cumsum([0, *[c.rows for c in chunks]]))[:-1]


def test_columns_of_codecs_come_in_smaller_chunks() -> None:
    blob = Attribute("value", CodecType("blob"), CoreType("bytes"))
    chunks = list(read_source(((i,) for i in range(1000)), Heading((blob,))))
    assert max(chunk.rows for chunk in chunks) < 1000


@pytest.mark.parametrize(
    "empty",
    [[], polars_frame().clear(), pd.DataFrame(DICTS)[:0], pa.table({"name": pa.array([], pa.string())})],
)
def test_an_empty_source_gives_no_rows(empty: Any) -> None:
    chunks = list(read_source(empty, SUBJECT.heading))
    assert sum(chunk.rows for chunk in chunks) == 0


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (DICTS[0], "use insert1, or put it in a list"),
        (structured()[0], "use insert1"),
        ("subject", "must end in .csv or .parquet"),
        (b"subject", "must end in .csv or .parquet"),
        (Path("rows.xls"), "must end in .csv or .parquet"),
        ("no_such_file.csv", "no such file"),
        (5, "Cannot insert from int"),
        (["Ada"], "Row 0 is of type str"),
        ([ROWS[0], None], "Row 1 is of type NoneType"),
        ([ROWS[0], (1, 2)], "Row 1 has 2 values for 4 attributes"),
        (pl.Series([1, 2]), "not a stream of rows"),
    ],
)
def test_what_holds_no_rows_is_refused_with_advice(source: Any, message: str) -> None:
    with pytest.raises(InvalidRowsError, match=message):
        list(read_source(source, SUBJECT.heading))
