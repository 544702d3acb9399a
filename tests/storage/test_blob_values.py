"""Any supported value survives packing; any other is refused with a reason."""

import datetime as dt
from collections import OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from djflow.errors import CorruptObjectError
from djflow.storage.blob import pack, unpack

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.complex_numbers(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(),
    st.times(),
    st.uuids(),
)
HASHABLE = st.one_of(SCALARS, st.tuples(SCALARS, SCALARS))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.sets(HASHABLE, max_size=4),
        st.dictionaries(HASHABLE, inner, max_size=4),
    ),
    max_leaves=20,
)
NUMERIC = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(32, 64)),
    hnp.complex_number_dtypes(sizes=(64, 128)),
    hnp.datetime64_dtypes(min_period="ps"),
)
ARRAYS = hnp.arrays(NUMERIC, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4))


@given(VALUES)
def test_a_value_survives_packing_with_its_type(value: Any) -> None:
    again = unpack(pack(value))
    assert again == value
    assert type(again) is type(value)


@given(ARRAYS)
def test_an_array_survives_packing_with_its_shape_and_type(array: np.ndarray[Any, Any]) -> None:
    again = unpack(pack(array))
    assert again.dtype == array.dtype.newbyteorder("=")
    assert again.shape == array.shape
    assert np.array_equal(again, array, equal_nan=array.dtype.kind in "fcM")


@given(ARRAYS)
def test_the_memory_layout_of_an_array_does_not_change_its_blob(array: np.ndarray[Any, Any]) -> None:
    assert pack(np.asfortranarray(array)) == pack(np.ascontiguousarray(array))


@given(st.binary(max_size=60), st.sampled_from([b"mYm\0", b"dj0\0", b"ZL123\0"]))
def test_any_bytes_unpack_or_are_refused_with_a_typed_error(junk: bytes, mark: bytes) -> None:
    try:
        unpack(mark + junk)
    except CorruptObjectError as error:
        assert error.reason  # noqa: PT017 - either outcome is right


@given(VALUES, st.data())
def test_a_damaged_blob_unpacks_or_is_refused_with_a_typed_error(value: Any, data: st.DataObject) -> None:
    blob = bytearray(pack({"value": value, "array": np.arange(3.0)}))
    for _ in range(data.draw(st.integers(1, 3))):
        blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpack(bytes(blob))
    except CorruptObjectError as error:
        assert error.reason  # noqa: PT017 - either outcome is right


@given(VALUES, st.data())
def test_a_shortened_blob_is_refused(value: Any, data: st.DataObject) -> None:
    blob = pack(value, compress=False)
    with pytest.raises(CorruptObjectError):
        unpack(blob[: data.draw(st.integers(0, len(blob) - 1))])


def test_relatives_of_the_supported_types_are_stored_as_these() -> None:
    point = namedtuple("point", "x y")  # noqa: PYI024 - a plain one on purpose
    relatives: list[tuple[Any, Any]] = [
        (point(1, 2), (1, 2)),
        (range(3), (0, 1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (frozenset([1]), {1}),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (np.str_("a"), "a"),
    ]
    for value, expected in relatives:
        again = unpack(pack(value))
        assert (again, type(again)) == (expected, type(expected))


def test_numpy_scalars_keep_their_type() -> None:
    true = np.array([True])[0]
    for value in (np.float32(1.5), np.int8(-3), true, np.complex64(1j), np.datetime64("2024-01-01")):
        again = unpack(pack(value))
        assert (again, type(again)) == (value, type(value))


def test_foreign_byte_order_is_turned_not_refused() -> None:
    again = unpack(pack(np.array([1.5, -2], ">f8")))
    assert (again.tolist(), again.dtype) == ([1.5, -2.0], np.dtype("f8"))


def test_records_keep_their_fields() -> None:
    records = np.array([[(1, "a"), (2, "b")]], dtype=[("number", "i4"), ("text", object)])
    again = unpack(pack(records))
    assert again.number.tolist() == [[1, 2]]
    assert again.text.tolist() == [["a", "b"]]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Fraction(1, 2), "fractions.Fraction"),
        ([{"deep": object()}], "builtins.object"),
        (dt.timedelta(1), "datetime.timedelta"),
        (np.ones(2, "f2"), "float16"),
        (np.ones(2, "m8[s]"), r"timedelta64\[s\]"),
        (np.ma.masked_array([1, 2], mask=[True, False]), "mask"),
        (np.zeros(2, dtype=[("a", "i4", (3,))]), "field 'a'"),
        ((i for i in range(2)), "generator"),
    ],
)
def test_a_value_that_a_blob_cannot_hold_is_refused_by_type(value: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=reason):
        pack(value)


def test_what_would_be_lost_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        pack(dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    with pytest.raises(ValueError, match="integer"):
        pack(1 << (8 * 65535))


def test_containers_may_nest_up_to_the_limit_and_no_deeper() -> None:
    value: list[Any] = []
    for _ in range(100):
        value = [value]
    assert unpack(pack(value)) == value
    with pytest.raises(ValueError, match="100 deep"):
        pack([value])


def test_a_container_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="deep"):
        pack(endless)


def test_decimals_keep_their_digits_and_signs() -> None:
    for text in ("-0.00", "1E+30", "NaN", "Infinity"):
        assert str(unpack(pack(Decimal(text)))) == text
