"""`<tensor>`: arrays in rows, whole columns at a time."""

from contextlib import suppress
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from djflow.errors import CorruptObjectError, DataTypeError, DefinitionError
from djflow.model.types import CodecType
from djflow.storage.codec import codec_for, resolve_dtype
from djflow.storage.codecs.tensor_format import Header, decode_one, encode_one
from djflow.testing.codecs import CodecContract, column_context
from djflow.testing.stores import MemoryStore

TYPE = CodecType("tensor")
CONTEXT = column_context(TYPE, MemoryStore())
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(endianness="?", sizes=(64, 128)),
    hnp.datetime64_dtypes(endianness="?"),
)
ARRAYS = hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))


def encode(values: Any) -> pa.Array:
    return codec_for(TYPE).encode_column(values, CONTEXT)


def decode(column: pa.Array) -> list[Any]:
    return codec_for(TYPE).decode_column(column, CONTEXT)


def same(one: Any, other: Any) -> bool:
    return bool(
        one.dtype == other.dtype.newbyteorder("=")
        and one.shape == other.shape
        and np.array_equal(one, other, equal_nan=other.dtype.kind in "fcM")
    )


class TestTensor(CodecContract):
    type = TYPE
    values: ClassVar[tuple[Any, ...]] = (
        np.eye(2, dtype="f4"),
        np.arange(3),
        np.array(7, "u1"),
        np.empty((0, 2)),
    )

    def same(self, decoded: Any, value: Any) -> bool:
        return same(decoded, value)


@given(ARRAYS)
def test_any_array_of_numbers_comes_back(array: np.ndarray[Any, Any]) -> None:
    assert same(decode_one(encode_one(array)), array)
    for found in decode(encode([array, array])):
        assert same(found, array)


@given(ARRAYS)
def test_a_stack_is_encoded_like_its_rows(stack: np.ndarray[Any, Any]) -> None:
    rows = list(stack) if stack.ndim else []
    expected = [encode_one(np.asarray(row)) for row in rows]
    if stack.ndim:
        assert encode(stack).to_pylist() == expected
    if stack.ndim > 1:
        assert encode(rows).to_pylist() == expected


@given(st.binary(max_size=60))
def test_other_bytes_are_never_an_array(data: bytes) -> None:
    for hostile in (data, b"DJT1" + data, b"DJT1<f4\0\0\0\0\0" + data):
        with suppress(CorruptObjectError):
            assert encode_one(decode_one(hostile)) == hostile


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no tensor"),
        (encode_one(np.eye(2))[:-1], "its header means"),
        (encode_one(np.eye(2)) + b"\0", "its header means"),
        (encode_one(np.eye(2))[:20], "within its header"),
        (Header(np.dtype("O"), (1,)).encoded + bytes(8), "unknown type"),
        (Header(np.dtype("f4"), (2**63, 2**63)).encoded, "its header means"),
        (encode_one(np.eye(2)).replace(b"<f8\0\0\0\0", b"<M8[zz]"), "unknown type"),
    ],
)
def test_damage_is_told_with_its_row(data: bytes, reason: str) -> None:
    column = pa.array([encode_one(np.eye(2)), None, data])
    with pytest.raises(CorruptObjectError, match=reason) as caught:
        decode(column)
    assert "row 2" in caught.value.__notes__[0]
    with pytest.raises(CorruptObjectError, match=reason):
        decode(pa.array([data]))


def test_arrays_of_one_shape_are_tensors_in_arrow() -> None:
    stack = np.arange(24, dtype="f4").reshape(4, 3, 2)
    array = codec_for(TYPE).arrow_column(encode(stack), CONTEXT)
    assert isinstance(array, pa.FixedShapeTensorArray)
    assert np.array_equal(array.to_numpy_ndarray(), stack)
    assert encode(array).equals(encode(stack))
    holes = codec_for(TYPE).arrow_column(encode([None, *stack[:2], None]), CONTEXT)
    assert holes is not None
    assert holes.type == array.type
    assert holes.is_valid().to_pylist() == [False, True, True, False]
    assert encode(array.slice(1, 2)).equals(encode(stack[1:3]))


@pytest.mark.parametrize("values", [[np.eye(2), np.eye(3)], [np.eye(2), np.arange(2)], [np.eye(2) > 0], []])
def test_other_columns_have_no_form_in_arrow(values: list[Any]) -> None:
    assert codec_for(TYPE).arrow_column(encode(values), CONTEXT) is None


def test_numbers_are_numbers_in_arrow() -> None:
    array = codec_for(TYPE).arrow_column(encode(np.array([1.5, 2.5])), CONTEXT)
    assert array is not None
    assert array.to_pylist() == [1.5, 2.5]


def test_decoded_rows_can_be_changed() -> None:
    first, second = decode(encode(np.zeros((2, 3))))
    first += 1
    assert second.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("bad", "reason"), [([1, 2], "not list"), (np.array(["a"]), "not <U1"), (np.array([None]), "not object")]
)
def test_what_is_no_array_of_numbers_is_told_with_its_row(bad: Any, reason: str) -> None:
    with pytest.raises(DataTypeError, match=reason) as caught:
        encode([np.eye(2), None, bad])
    assert caught.value.row == 2


def test_a_store_is_refused() -> None:
    with pytest.raises(DefinitionError, match="in the table"):
        resolve_dtype(CodecType("tensor", ""))
