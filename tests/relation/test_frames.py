"""Local frames beside tables: every kind of source restricts and joins alike."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from djflow.errors import (
    DataTypeError,
    DuplicateError,
    InvalidRowsError,
    QueryError,
    SemanticMatchError,
    UnknownAttributeError,
)
from djflow.relation.frames import Frame

ROWS = {"subject": [3, 1], "dose": [0.5, 0.25], "label": ["c", "a"]}


class CapsuleOnly:
    """Nothing but an Arrow stream."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def parquet(folder: Path) -> Path:
    pl.DataFrame(ROWS).write_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


def csv(folder: Path) -> Path:
    pl.DataFrame(ROWS).write_csv(folder / "rows.CSV")
    return folder / "rows.CSV"


SOURCES: dict[str, Callable[[Path], Any]] = {
    "polars": lambda _: pl.DataFrame(ROWS),
    "lazy": lambda _: pl.LazyFrame(ROWS),
    "categorical": lambda _: pl.DataFrame(ROWS, schema_overrides={"label": pl.Categorical}),
    "pandas": lambda _: pd.DataFrame(ROWS),
    "pandas-index": lambda _: pd.DataFrame(ROWS).set_index("subject"),
    "arrow": lambda _: pa.table(ROWS),
    "batch": lambda _: pa.record_batch(ROWS),
    "reader": lambda _: pa.table(ROWS).to_reader(),
    "dataset": lambda _: ds.dataset(pa.table(ROWS)),
    "capsule": lambda _: CapsuleOnly(pa.table(ROWS)),
    "dictionary": lambda _: pa.table({**ROWS, "label": pa.array(ROWS["label"]).dictionary_encode()}),
    "numpy": lambda _: np.array([(3, 0.5, "c"), (1, 0.25, "a")], "i8,f8,U1").astype(
        [("subject", "i8"), ("dose", "f8"), ("label", "U1")]
    ),
    "dicts": lambda _: [dict(zip(ROWS, row, strict=True)) for row in zip(*ROWS.values(), strict=True)],
    "parquet": parquet,
    "csv": csv,
}
every_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)


def subjects(relation: Any) -> list[int]:
    return [key["subject"] for key in relation.keys()]  # noqa: SIM118 - not a dict


@every_source
def test_every_source_restricts(source: Callable[[Path], Any], tmp_path: Path, lab: Any) -> None:
    assert subjects(lab.Subject & source(tmp_path)) == [1, 3]
    assert subjects(lab.Subject - source(tmp_path)) == [2]
    assert subjects(lab.Subject & Frame(source(tmp_path))) == [1, 3]
    assert subjects(lab.Subject & [source(tmp_path), {"subject": 2}]) == [1, 2, 3]


@every_source
def test_every_source_joins(source: Callable[[Path], Any], tmp_path: Path, lab: Any) -> None:
    joined = lab.Subject.proj("name") * source(tmp_path)
    assert joined.primary_key == ["subject"]
    assert joined.to_dicts() == [
        {"subject": 1, "name": "ann", "dose": 0.25, "label": "a"},
        {"subject": 3, "name": 'it\'s \\ "odd" é', "dose": 0.5, "label": "c"},
    ]
    assert joined.to_arrow().schema.field("subject").type == pa.int32()


@every_source
def test_every_source_extends(source: Callable[[Path], Any], tmp_path: Path, lab: Any) -> None:
    extended = lab.Subject.proj().extend(source(tmp_path))
    assert extended.to_arrow().column("dose").to_pylist() == [0.25, None, 0.5]


def test_frames_are_summarised(lab: Any) -> None:
    doses = pl.DataFrame({"subject": [1, 1, 3], "hour": [0, 1, 0], "dose": [1.0, 2.0, 5.0]})
    summaries = lab.Subject.aggr(doses, n="count(hour)", total="sum(dose)")
    assert [tuple(row.values()) for row in summaries.to_dicts()] == [(1, 2, 3.0), (2, 0, None), (3, 1, 5.0)]
    keyed = Frame(doses, key=["subject", "hour"])
    assert lab.Subject.aggr(keyed, m="max(dose)").to_arrow()["m"].to_pylist() == [2.0, None, 5.0]


def test_a_frame_may_stand_first(lab: Any) -> None:
    frame = Frame(pl.DataFrame({"subject": [1, 7], "dose": [1.0, 2.0]}))
    assert (frame * lab.Subject.proj("name")).to_dicts() == [{"subject": 1, "dose": 1.0, "name": "ann"}]
    assert (frame & lab.Subject).to_dicts() == [{"subject": 1, "dose": 1.0}]
    assert (frame - lab.Subject).to_dicts() == [{"subject": 7, "dose": 2.0}]
    with pytest.raises(QueryError, match="has no database"):
        frame & {"subject": 1}


def test_columns_keep_the_types_that_arrow_gives_them(lab: Any) -> None:
    moment = dt.datetime(2024, 1, 2, 3, 4, 5, 678901)
    table = pa.table(
        {
            "subject": pa.array([1], pa.int64()),
            "a": pa.array([-7], pa.int8()),
            "b": pa.array([200], pa.uint8()),
            "c": pa.array([2**64 - 1], pa.uint64()),
            "d": pa.array([0.5], pa.float32()),
            "e": pa.array([True]),
            "f": pa.array(["é"], pa.large_string()),
            "g": pa.array([b"\x00"]),
            "h": pa.array([moment.date()]),
            "i": pa.array([moment], pa.timestamp("us")),
            "j": pa.array([moment], pa.timestamp("us", tz="Europe/Madrid")),
            "k": pa.array([Decimal("1.50")], pa.decimal128(8, 3)),
            "l": pa.array([moment.time()]),
            "m": pa.array([None], pa.int16()),
        }
    )
    (row,) = (lab.Subject.proj() * table).to_dicts()
    assert row == {
        "subject": 1,
        "a": -7,
        "b": 200,
        "c": Decimal(2**64 - 1),
        "d": 0.5,
        "e": True,
        "f": "é",
        "g": b"\x00",
        "h": moment.date(),
        "i": moment,
        "j": moment.replace(tzinfo=dt.UTC),
        "k": Decimal("1.500"),
        "l": moment.time(),
        "m": None,
    }
    types = (lab.Subject.proj() * table).to_arrow().schema
    assert types.field("a").type == pa.int8()
    assert types.field("k").type == pa.decimal128(8, 3)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([[1, 2]]), "list"),
        (pa.array([{"a": 1}]), "struct"),
        (pa.array([dt.timedelta(1)]), "duration"),
        (pa.nulls(1), "null"),
    ],
)
def test_a_column_without_a_type_is_refused_by_name(column: pa.Array, told: str, lab: Any) -> None:
    with pytest.raises(QueryError, match=rf"'odd' of the frame has the type {told}"):
        lab.Subject * pa.table({"subject": [1], "odd": column})
    assert subjects(lab.Subject & pa.table({"subject": [1], "odd": column})) == [1]


def test_the_key_is_what_is_shared_if_it_is_unique_and_all_columns_otherwise(lab: Any) -> None:
    unique = pl.DataFrame({"subject": [1, 2], "x": [5, 5]})
    assert (lab.Subject.proj() * unique).primary_key == ["subject"]
    repeated = pl.DataFrame({"subject": [1, 1], "x": [5, 6]})
    assert (lab.Subject.proj() * repeated).primary_key == ["subject", "x"]
    named = Frame(pl.DataFrame({"x": [5, 6], "subject": [1, 1], "y": [0.5, 0.5]}), key="x")
    assert (lab.Subject.proj() * named).primary_key == ["x"]
    assert (lab.Subject.proj() * named).to_arrow().num_rows == 2


def test_a_key_that_repeats_is_refused_with_its_values(lab: Any) -> None:
    repeated = pl.DataFrame({"subject": [3, 1, 2, 1], "x": [0, 5, 5, 5]})
    with pytest.raises(DuplicateError, match=r"subject=1, x=5, the first of them in row 1.*key=\[") as caught:
        lab.Subject * repeated
    assert caught.value.key == "subject=1, x=5"
    with pytest.raises(DuplicateError, match=r"with x=5"):
        lab.Subject * Frame(repeated, key=["x"])
    with pytest.raises(UnknownAttributeError, match="Did you mean 'subject'"):
        lab.Subject * Frame(repeated, key=["subjct"])


def test_a_key_that_is_null_is_refused_with_its_row(lab: Any) -> None:
    with pytest.raises(DataTypeError, match="key cannot be null") as caught:
        lab.Subject * pl.DataFrame({"subject": [3, None]})
    assert (caught.value.row, caught.value.column) == (1, "subject")


@pytest.mark.parametrize(
    ("columns", "row", "column"),
    [
        ({"subject": [1, 2**40]}, 1, "subject"),
        ({"subject": [1.0, 2.5]}, 1, "subject"),
        ({"subject": ["1", "x"]}, 1, "subject"),
        ({"subject": [1], "born": ["soon"]}, 0, "born"),
        ({"subject": [1, 2], "weight": [1.5, 1.0005]}, 1, "weight"),
        ({"subject": [1, 2], "sex": ["M", "m"]}, 1, "sex"),
    ],
)
def test_a_value_that_does_not_fit_a_shared_attribute_is_refused_in_a_join(
    columns: dict[str, list[Any]], row: int, column: str, lab: Any
) -> None:
    with pytest.raises(DataTypeError) as caught:
        lab.Subject * pl.DataFrame(columns)
    assert (caught.value.row, caught.value.column) == (row, column)


@pytest.mark.parametrize(
    "columns",
    [
        {"subject": [1, 2**40, None]},
        {"subject": [1.0, 2.5, float("nan")]},
        {"weight": [1.5, 1.5004, None]},
        {"weight": ["1.5", "1.50049"]},
        {"born": [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2, 5)]},
        {"uid": ["12345678123456781234567812345678"]},
        {"seen": ["2024-05-06T07:08:09.123456", None]},
        {"sex": ["M", "nosuch", "m"]},
        {"alive": [0]},
    ],
    ids=str,
)
def test_a_key_that_equals_no_value_matches_nothing(columns: dict[str, list[Any]], lab: Any) -> None:
    frame = pl.DataFrame(columns)
    assert subjects(lab.Subject & frame) == [1]
    assert subjects(lab.Subject - frame) == [2, 3]


@pytest.mark.parametrize(
    "columns",
    [
        {"born": ["2024-01-01", "soon"]},
        {"uid": [None, "x"]},
        {"weight": ["1", "x"]},
        {"seen": ["2024-01-01", "x"]},
        {"alive": [1, 2]},
        {"subject": [dt.date(2024, 1, 1), dt.date(2024, 1, 1)]},
    ],
    ids=str,
)
def test_a_key_that_cannot_be_compared_is_refused_before_anything_is_sent(
    columns: dict[str, list[Any]], lab: Any
) -> None:
    with pytest.raises(DataTypeError) as caught:
        lab.Subject & pl.DataFrame(columns)
    assert caught.value.row == (0 if "subject" in columns else 1)


def test_only_shared_columns_of_a_lazy_frame_are_computed(lab: Any) -> None:
    def never(_: object) -> pl.DataFrame:
        raise AssertionError("a column was computed that nobody needs")

    lazy = pl.LazyFrame({"subject": [1, 3]}).with_columns(
        other=pl.col("subject").map_batches(never, return_dtype=pl.Int64)
    )
    assert subjects(lab.Subject & lazy) == [1, 3]
    assert len(lab.Subject & pl.LazyFrame({"x": [1]})) == 3
    assert len(lab.Subject & pl.LazyFrame({"x": []}, schema={"x": pl.Int8})) == 0


def test_text_in_a_csv_is_not_taken_for_a_number(lab: Any, tmp_path: Path) -> None:
    lab.Subject.insert1({"subject": 7, "name": "007", "born": "2000-01-01"})
    path = tmp_path / "names.csv"
    path.write_text("name,day,count\n007,2024-01-31,2\n")
    assert subjects(lab.Subject & path) == [7]
    joined = lab.Subject.proj("name").join(path, semantic_check=False)
    assert joined.to_arrow().select(["day", "count"]).to_pylist() == [
        {"day": dt.date(2024, 1, 31), "count": 2}
    ]


def test_files_that_cannot_be_read_say_why(lab: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidRowsError, match=r"must end in \.csv or \.parquet"):
        lab.Subject & (tmp_path / "keys.xlsx")
    with pytest.raises(InvalidRowsError, match="no such file"):
        lab.Subject & (tmp_path / "keys.csv")
    (tmp_path / "keys.parquet").write_bytes(b"not parquet")
    with pytest.raises(InvalidRowsError, match=r"keys\.parquet"):
        lab.Subject & (tmp_path / "keys.parquet")


def test_what_is_no_frame_is_refused(lab: Any) -> None:
    nothing: list[Any] = []
    for wrong in (5, "subject", {"subject": 1}, None, nothing):
        with pytest.raises(QueryError):
            lab.Subject * wrong
    with pytest.raises(QueryError, match="is not a frame"):
        Frame({"subject": 1})
    with pytest.raises(InvalidRowsError, match="two columns of the name"):
        lab.Subject & pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["subject", "subject"])
    with pytest.raises(SemanticMatchError):
        lab.Subject.proj(age="subject + 1") * pl.DataFrame({"age": [2]})


def test_a_frame_without_shared_attributes_pairs_with_every_row(lab: Any) -> None:
    assert len(lab.Subject * pl.DataFrame({"x": [1, 2]})) == 6
    assert (lab.Subject * pl.DataFrame({"x": [1, 2]})).primary_key == ["subject", "x"]


def test_joins_with_frames_compose(lab: Any) -> None:
    doses = pl.DataFrame({"subject": [1, 2, 3], "dose": [1.0, 2.0, 3.0]})
    query = (lab.Session * doses & "dose > 1.5" & {"session": 1}).proj("dose", twice="2 * dose")
    assert query.to_arrow().to_pydict() == {
        "subject": [2, 3],
        "session": [1, 1],
        "dose": [2.0, 3.0],
        "twice": [4.0, 6.0],
    }
    assert len(query) == 2
    assert query
    assert "dose" in str(query.explain(analyze=True))
    assert "dose" in query.make_sql()


def test_large_and_small_frames_join_alike(lab: Any) -> None:
    session = lab.schema.connection.session
    frame = pl.DataFrame(
        {"subject": [1, 3, 9], "weight": ["1.5", None, "2"], "day": [dt.date(2024, 1, 1)] * 3}
    )
    answers = []
    for inline_values in (session.inline_values, 0):
        session.inline_values = inline_values
        keyed = Frame(frame.select("subject", "day"))
        for query in (
            lab.Subject.proj("name") * frame,
            lab.Subject.extend(keyed),
            lab.Subject.aggr(keyed, first="min(day)"),
            Frame(frame) - lab.Session,
        ):
            answers.append((query.to_arrow(), len(query)))
            with lab.schema.connection.transaction:
                answers.append((query.to_arrow(), len(query)))
    half = len(answers) // 2
    assert answers[:half] == answers[half:]


def test_a_frame_hides_its_values_from_its_description() -> None:
    assert repr(Frame(pl.DataFrame({"password": ["secret"]}), key=["password"])) == (
        "Frame(DataFrame, key=('password',))"
    )
