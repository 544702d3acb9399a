"""Columns of blobs equal their rows, one by one, whichever way they are encoded or decoded."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from djflow.errors import CorruptObjectError
from djflow.storage.blob import arrow_values, decode_column, encode_column, pack, unpack

DTYPES = st.sampled_from(["?", "i1", "u2", "<i4", ">i8", "f4", ">f8", "c8", "c16", "M8[us]"])
STACKS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4))
Array = np.ndarray[Any, Any]


def equal(left: Any, right: Any) -> bool:
    left, right = np.asarray(left), np.asarray(right)
    return left.dtype == right.dtype and np.array_equal(left, right, equal_nan=left.dtype.kind in "fcM")


@given(STACKS)
def test_a_stack_is_encoded_as_its_rows_are(stack: Array) -> None:
    assert encode_column(stack).to_pylist() == [pack(row) for row in stack]


@given(STACKS)
def test_a_stack_in_any_memory_layout_is_encoded_alike(stack: Array) -> None:
    assert encode_column(np.asfortranarray(stack)).equals(encode_column(stack))
    assert encode_column(list(stack)).equals(encode_column(stack))


@given(STACKS)
def test_a_column_of_equal_arrays_decodes_to_a_stack_of_its_rows(stack: Array) -> None:
    column = encode_column(stack)
    decoded = decode_column(column)
    assert isinstance(decoded, np.ndarray)
    assert decoded.flags.writeable
    for found, blob in zip(decoded, column.to_pylist(), strict=True):
        assert equal(found, unpack(blob))


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(0, 3))
def test_compressed_rows_mix_with_plain_ones(compressed: list[bool], start: int) -> None:
    stack = np.arange(len(compressed) * 300, dtype="f8").reshape(len(compressed), 3, 100) // 50
    blobs = [pack(row, compress=compress) for row, compress in zip(stack, compressed, strict=True)]
    decoded = decode_column(pa.array(blobs, pa.binary()).slice(start))
    assert equal(decoded, stack[start:]) or not len(stack[start:])


@given(st.lists(hnp.arrays(DTYPES, hnp.array_shapes(max_dims=2, max_side=3)), max_size=6))
def test_a_column_of_different_arrays_decodes_to_their_list(arrays: list[Array]) -> None:
    decoded = decode_column(encode_column(arrays))
    assert len(decoded) == len(arrays)
    for found, array in zip(decoded, arrays, strict=True):
        assert equal(found, array.astype(array.dtype.newbyteorder("=")))


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()])
def test_every_binary_type_of_arrow_is_read(kind: pa.DataType) -> None:
    column = encode_column(np.arange(6).reshape(2, 3)).cast(kind)
    assert equal(decode_column(column), np.arange(6).reshape(2, 3))


def test_a_chunked_column_is_read_as_one() -> None:
    column = pa.chunked_array([encode_column(np.arange(6).reshape(2, 3)), encode_column(["a", None])])
    decoded = decode_column(column)
    assert [repr(value) for value in decoded[2:]] == ["'a'", "None"]


def test_no_rows_are_no_values() -> None:
    assert len(decode_column(encode_column([]))) == 0
    assert len(decode_column(encode_column(np.empty((0, 3))))) == 0


def test_smooth_rows_are_compressed_and_noisy_ones_are_not() -> None:
    smooth = np.zeros((20, 1000))
    noisy = np.random.default_rng(0).normal(size=(20, 1000))
    assert {blob[:6] for blob in encode_column(smooth).to_pylist()} == {b"ZL123\0"}
    assert {blob[:4] for blob in encode_column(noisy).to_pylist()} == {b"mYm\0"}


def test_an_array_of_the_general_protocol_decodes_like_its_row() -> None:
    blobs = [b"dj0\0" + pack(np.arange(3))[4:]] * 2
    assert equal(np.stack(list(decode_column(pa.array(blobs, pa.binary())))), np.array([[0, 1, 2]] * 2))


def test_one_damaged_compressed_row_spoils_no_other_silently() -> None:
    blobs = encode_column(np.zeros((100, 1000))).to_pylist()
    blobs[57] = blobs[57][:-4] + b"\0\0\0\0"
    with pytest.raises(CorruptObjectError):
        decode_column(pa.array(blobs, pa.binary()))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.5, 2.0], pa.float64()),
        ([1, -2], pa.int64()),
        ([True, False], pa.bool_()),
        (["a", "b"], pa.string()),
        ([np.float32(1), np.float32(2)], pa.float32()),
        (np.zeros((2, 3), "f4"), pa.list_(pa.float32(), 3)),
        (np.zeros((2, 3), "?"), pa.list_(pa.bool_(), 3)),
        (np.zeros((2, 3), "M8[s]"), pa.list_(pa.timestamp("s"), 3)),
        (np.zeros((2, 3, 4), "i2"), pa.fixed_shape_tensor(pa.int16(), (3, 4))),
        ([np.zeros(2, "f4"), np.zeros(3, "f4")], pa.list_(pa.float32())),
    ],
)
def test_values_of_one_kind_have_an_arrow_type(values: Any, expected: pa.DataType) -> None:
    array = arrow_values(encode_column(values))
    assert array is not None
    assert array.type.equals(expected) or array.type == expected
    shown = [np.asarray(value).tolist() for value in array.to_pylist()]
    assert len(shown) == len(values)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [None],
        [1, 1.5],
        [{"a": 1}],
        [1 << 70],
        [np.zeros(2), np.zeros((2, 2))],
        [np.zeros(2), np.zeros(3, "f4")],
        np.zeros((2, 3), "c16"),
        np.zeros((2, 3, 4), "?"),
        np.zeros((2, 3), "M8[D]").astype("M8[h]"),
        [np.array(["a"], object), np.array(["b"], object)],
    ],
)
def test_values_of_several_kinds_have_no_arrow_type(values: Any) -> None:
    assert arrow_values(encode_column(values)) is None


@given(st.lists(st.one_of(st.none(), st.just(0)), min_size=1, max_size=8).filter(lambda marks: 0 in marks))
def test_nulls_stay_where_they_were(marks: list[int | None]) -> None:
    shapes: list[tuple[int, ...]] = [(3,), (2, 3)]
    for shape in shapes:
        rows = [None if mark is None else np.full(shape, i, "i4") for i, mark in enumerate(marks)]
        array = arrow_values(encode_column(rows))
        assert array is not None
        assert array.is_null().to_pylist() == [row is None for row in rows]
        storage = getattr(array, "storage", array)
        for found, row in zip(storage.to_pylist(), rows, strict=True):
            assert (found is None) if row is None else (found == row.ravel().tolist())


def test_tensors_keep_the_order_of_their_elements() -> None:
    stack = np.arange(24, dtype="f8").reshape(2, 3, 4)
    array = arrow_values(encode_column(stack))
    assert array is not None
    assert equal(array.to_numpy_ndarray(), stack)
