"""A chunk fits a table, or the error says which name, row and value do not."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from djflow.errors import DataTypeError, InvalidRowsError, MissingAttributeError, UnknownAttributeError
from djflow.ingest.prepare import prepare
from djflow.model.names import TableName
from djflow.model.table import Attribute, CurrentTimestamp, Literal, Null, Table
from djflow.model.types import CodecType, CoreType

INT16, TEXT, DATETIME = CoreType("int16"), CoreType("varchar", (9,)), CoreType("datetime")
BLOB, BYTES, BOOL = CodecType("blob"), CoreType("bytes"), CoreType("bool")
SCAN = Table(
    TableName("lab", "scan"),
    "",
    (
        Attribute("_singleton", BOOL, BOOL, default=Literal("true")),
        Attribute("scan", INT16, INT16, in_key=True),
        Attribute("depth", INT16, INT16, default=Literal("5")),
        Attribute("note", TEXT, TEXT, nullable=True, default=Null()),
        Attribute("ts", DATETIME, DATETIME, default=CurrentTimestamp()),
    ),
)
IMAGE = Table(
    TableName("lab", "image"),
    "",
    (Attribute("image", INT16, INT16, in_key=True), Attribute("pixels", BLOB, BYTES)),
)


def batches(source: Any, table: Table = SCAN, **options: Any) -> list[dict[str, list[Any]]]:
    return [batch.to_pydict() for batch in prepare(source, table, **options)]


def encode_text(
    attribute: Attribute, values: Sequence[Any], first_row: int, keys: Sequence[Mapping[str, Any]]
) -> pa.Array:
    """Encodes a value as its text, behind where it belongs."""
    assert attribute.name == "pixels"
    del first_row
    encoded = [
        None if value is None else f"{keys[row]['image']}:{value}".encode()
        for row, value in enumerate(values)
    ]
    return pa.array(encoded, pa.binary())


def test_columns_come_in_the_order_of_the_table_and_in_its_types() -> None:
    (batch,) = prepare(pl.DataFrame({"note": ["a"], "depth": [3], "scan": [1]}), SCAN)
    fields = [("scan", pa.int16()), ("depth", pa.int16()), ("note", pa.string())]
    assert batch.schema == pa.schema(fields)


def test_an_attribute_that_no_row_gives_is_left_to_the_server() -> None:
    assert batches([{"scan": 1}]) == [{"scan": [1]}]


def test_none_takes_the_default_of_an_attribute_that_is_not_nullable() -> None:
    rows = [{"scan": 1, "depth": 9}, {"scan": 2, "depth": None}, {"scan": 3, "depth": 8, "note": None}]
    assert batches(rows) == [
        {"scan": [1, 3], "depth": [9, 8], "note": [None, None]},
        {"scan": [2], "note": [None]},
    ]


def test_rows_part_by_every_combination_of_defaults() -> None:
    rows = [(1, 1, "a", "2024-01-01"), (2, None, "b", "2024-01-01"), (3, 1, "c", None), (4, None, "d", None)]
    found = batches(rows)
    assert sorted(tuple(batch) for batch in found) == [
        ("scan", "depth", "note"),
        ("scan", "depth", "note", "ts"),
        ("scan", "note"),
        ("scan", "note", "ts"),
    ]
    assert sorted(scan for batch in found for scan in batch["scan"]) == [1, 2, 3, 4]


@pytest.mark.parametrize("name", ["depht", "_singleton"])
def test_a_name_that_the_visible_heading_lacks_is_refused(name: str) -> None:
    with pytest.raises(UnknownAttributeError, match=f"No attribute {name!r} in lab.scan") as caught:
        batches([{"scan": 1, name: 2}])
    assert caught.value.name == name
    assert caught.value.heading == ("scan", "depth", "note", "ts")


def test_the_right_case_of_a_name_is_suggested() -> None:
    with pytest.raises(UnknownAttributeError) as caught:
        batches([{"SCAN": 1}])
    assert "Names are told apart by case: write 'scan'." in caught.value.__notes__


def test_extra_fields_may_be_ignored() -> None:
    assert batches([{"scan": 1, "weather": "fine"}], ignore_extra_fields=True) == [{"scan": [1]}]


def test_a_missing_attribute_is_named_with_the_row_that_lacks_it() -> None:
    with pytest.raises(MissingAttributeError, match="'scan', which is missing in row 1") as caught:
        batches([{"scan": 1}, {"depth": 2}])
    assert (caught.value.name, caught.value.row, caught.value.table) == ("scan", 1, "lab.scan")


def test_a_frame_that_lacks_a_column_has_no_row_to_blame() -> None:
    with pytest.raises(MissingAttributeError) as caught:
        batches(pl.DataFrame({"depth": [2]}))
    assert caught.value.row is None


def test_even_an_empty_frame_must_have_the_right_names() -> None:
    with pytest.raises(UnknownAttributeError):
        batches(pl.DataFrame(schema={"scan": pl.Int16, "depht": pl.Int16}))
    assert batches(pl.DataFrame(schema={"scan": pl.Int16})) == []


def test_rows_are_numbered_through_all_chunks() -> None:
    with pytest.raises(DataTypeError) as caught:
        batches(pl.DataFrame({"scan": [*range(30_000)] * 3 + [40_000]}))
    assert (caught.value.row, caught.value.value) == (90_000, 40_000)


def test_rows_without_any_value_are_refused() -> None:
    all_default = Table(SCAN.name, "", SCAN.columns[2:3])
    sources: list[Any] = [[{"depth": None}], pl.DataFrame({"depth": [None]}), [{}]]
    for rows in sources:
        with pytest.raises(InvalidRowsError, match="no value"):
            batches(rows, all_default)


def test_a_codec_gets_its_column_with_the_keys_of_the_rows() -> None:
    rows = [{"image": 1, "pixels": "a"}, {"image": 2.0, "pixels": "b"}]
    assert batches(rows, IMAGE, encode=encode_text) == [{"image": [1, 2], "pixels": [b"1:a", b"2:b"]}]


def test_lists_of_numbers_in_a_frame_reach_a_codec_as_arrays() -> None:
    seen: list[Any] = []

    def encode(attribute: Attribute, values: Sequence[Any], first_row: int, keys: Sequence[Any]) -> pa.Array:
        del attribute, first_row, keys
        seen.extend(values)
        return pa.array([b""] * len(values))

    lists = pl.Series([[1.5, 2.5]], dtype=pl.List(pl.Float64))
    matrices = pl.Series([[[1, 2], [3, 4]]], dtype=pl.Array(pl.Int64, (2, 2)))
    for column in (lists, matrices, pl.Series([b"raw"])):
        batches(pl.DataFrame({"image": [1], "pixels": column}), IMAGE, encode=encode)
    assert seen[0].tolist() == [1.5, 2.5]
    assert seen[1].tolist() == [[1, 2], [3, 4]]
    assert seen[2] == b"raw"


def test_a_codec_is_asked_only_after_all_other_values_have_passed() -> None:
    def encode(*_: Any) -> pa.Array:
        pytest.fail("encoded a chunk that is refused")

    with pytest.raises(DataTypeError):
        batches([{"image": "x", "pixels": "a"}], IMAGE, encode=encode)
    with pytest.raises(MissingAttributeError, match="'pixels', which is missing in row 0"):
        batches([{"image": 1, "pixels": None}], IMAGE, encode=encode)


def test_the_row_that_a_codec_refuses_is_counted_from_the_start_of_the_source() -> None:
    def encode(attribute: Attribute, values: Sequence[Any], first_row: int, keys: Sequence[Any]) -> pa.Array:
        del first_row, keys
        if "bad" in values:
            row = values.index("bad")
            raise DataTypeError("no", column=attribute.name, expected="good", row=row, value="bad")
        return pa.array([b""] * len(values))

    rows = [{"image": i, "pixels": "bad" if i == 700 else "good"} for i in range(1000)]
    with pytest.raises(DataTypeError) as caught:
        batches(rows, IMAGE, encode=encode)
    assert caught.value.row == 700


@pytest.mark.parametrize(("rows", "row"), [(1, 0), (2, None)])
def test_what_a_codec_raises_becomes_a_typed_error(rows: int, row: int | None) -> None:
    def encode(*_: Any) -> pa.Array:
        raise TypeError("cannot pickle")

    with pytest.raises(DataTypeError, match="cannot be encoded") as caught:
        batches([(i, "x") for i in range(rows)], IMAGE, encode=encode)
    assert (caught.value.row, caught.value.column) == (row, "pixels")


def test_without_an_encoder_codec_columns_are_refused() -> None:
    with pytest.raises(InvalidRowsError, match="needs the codec <blob>"):
        batches([(1, "x")], IMAGE)
