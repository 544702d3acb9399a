"""The hash of contents: equal for equal rows, whatever their order; different for any other rows."""

import hashlib
import json
import struct
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import InvalidArgumentError
from djflow.model.table import Table
from djflow.tables.archive import ContentHash, content_hash
from djflow.tables.archive.table_json import table_from_json, table_to_json
from djflow.testing.schemas import schemas

SCHEMA = pa.schema(
    [
        ("n", pa.int16()),
        ("x", pa.float64()),
        ("t", pa.string()),
        ("b", pa.binary()),
        ("yes", pa.bool_()),
        ("l", pa.list_(pa.int32())),
        ("d", pa.decimal128(8, 3)),
    ]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-9, 9),
            "x": st.none() | st.floats(),
            "t": st.none() | st.text(max_size=3),
            "b": st.none() | st.binary(max_size=3),
            "yes": st.none() | st.booleans(),
            "l": st.none() | st.lists(st.none() | st.integers(0, 3), max_size=3),
            "d": st.none() | st.decimals(-99, 99, places=3),
        }
    ),
    max_size=6,
)


def hashed(rows: list[dict[str, Any]], pieces: int = 1000) -> str:
    return content_hash(pa.Table.from_pylist(rows, schema=SCHEMA).to_batches(max_chunksize=pieces))


@given(ROWS, st.randoms(use_true_random=False))
def test_neither_order_nor_batches_nor_order_of_columns_matter(
    rows: list[dict[str, Any]], chance: Any
) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert hashed(rows) == hashed(shuffled, pieces=2)
    table = pa.Table.from_pylist(shuffled, schema=SCHEMA)
    assert hashed(rows) == content_hash(table.select(table.column_names[::-1]).to_batches())


@given(ROWS, ROWS)
def test_different_rows_have_different_hashes(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    def bag(rows: list[dict[str, Any]]) -> list[str]:
        return sorted(repr({**row, "x": repr(row["x"])}) for row in rows)

    assert (hashed(one) == hashed(other)) == (bag(one) == bag(other))


@given(ROWS, ROWS)
def test_the_hash_of_two_parts_follows_from_theirs(
    one: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    parts = []
    for rows in (one, other):
        part = ContentHash()
        for batch in pa.Table.from_pylist(rows, schema=SCHEMA).to_batches():
            part.add(batch)
        parts.append(part)
    assert (parts[0] + parts[1]).hexdigest() == hashed(one + other)


def test_a_slice_hashes_as_the_rows_in_it() -> None:
    rows = [{"n": n, "t": "x" * n, "l": [n] * n, "yes": bool(n % 2)} for n in range(9)]
    batch = pa.RecordBatch.from_pylist(rows, schema=SCHEMA)
    assert content_hash([batch.slice(3, 4)]) == hashed(rows[3:7])


def test_any_nan_is_the_same_and_zeros_are_told_apart_by_their_sign() -> None:
    def of(bits: int) -> str:
        return content_hash([pa.record_batch({"x": np.array([bits], np.uint64).view(np.float64)})])

    assert of(0x7FF8_0000_0000_0000) == of(0xFFF8_0000_0000_0001)
    assert of(0) != of(1 << 63)


def test_types_and_names_count() -> None:
    hashes = {
        content_hash([pa.record_batch({"x": pa.array([1], pa.int16())})]),
        content_hash([pa.record_batch({"x": pa.array([1], pa.int32())})]),
        content_hash([pa.record_batch({"y": pa.array([1], pa.int16())})]),
    }
    assert len(hashes) == 3


def test_the_hash_is_what_the_documentation_says() -> None:
    # Written down in docs/archives.md: must never change.
    rows = [(7, "ab"), (None, "")]
    sums = [0, 0, 0, 0]
    for number, text in rows:
        head = b"\1" + struct.pack("<h", number) if number is not None else b"\0\0\0"
        row = head + b"\1" + struct.pack("<q", len(text)) + text.encode()
        words = struct.unpack("<4Q", hashlib.sha256(row).digest())
        sums = [(one + other) % 2**64 for one, other in zip(sums, words, strict=True)]
    wanted = hashlib.sha256(json.dumps([["n", "t"], 2]).encode() + struct.pack("<4Q", *sums)).hexdigest()
    batch = pa.record_batch({"n": pa.array([7, None], pa.int16()), "t": ["ab", ""]})
    assert content_hash([batch]) == wanted


@given(schemas("lab"))
def test_tables_survive_json(tables: tuple[Table, ...]) -> None:
    for table in tables:
        assert table_from_json(json.loads(json.dumps(table_to_json(table)))) == table


def test_a_type_that_no_column_has_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="struct"):
        content_hash([pa.record_batch({"s": [{"a": 1}]})])
