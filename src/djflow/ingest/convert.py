"""A column of values to the exact Arrow type of its attribute, or an error that names row and value."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from djflow.errors import DataTypeError, MissingAttributeError
from djflow.ingest.chunk import Column
from djflow.ingest.columns import is_all_null, map_python_lists, map_python_values
from djflow.ingest.kernels.choose import kernel_for
from djflow.ingest.kernels.documents import documents
from djflow.ingest.kernels.refusal import CAST_ERRORS, Refusal
from djflow.ingest.plain import plain_array
from djflow.model.table import Attribute
from djflow.model.types import CoreType, NativeType, StoredType, arrow_type


def convert(values: Column, attribute: Attribute, first_row: int = 0, table: str = "") -> pa.Array:
    """Values as an array of exactly `arrow_type(attribute.stored)`; zero-copy where they are that already.

    `first_row` is the number of the first value's row and `table` the name that errors show.
    Python objects in a `json` column are written as JSON, a str as a JSON string; a column of text
    (Arrow, Polars, pandas, numpy, CSV) holds JSON text. Timestamps with a zone are converted to UTC.
    Nulls pass where the attribute is nullable or has a default.
    Raises `DataTypeError`, and `MissingAttributeError` for a null where a value is required.

    >>> int8 = CoreType("int8")
    >>> convert([1, None, 2.0], Attribute("x", int8, int8, nullable=True)).to_pylist()
    [1, None, 2]
    >>> convert([1, 200], Attribute("x", int8, int8))
    Traceback (most recent call last):
    djflow.errors.DataTypeError: row 1, column 'x': not a whole number from -128 to 127. Expected int8, ...
    """
    attempt = attempt_for(attribute.stored)
    if isinstance(values, np.ndarray) and values.dtype == object:
        values = list(values)
    try:
        array = attempt(values)
    except Refusal as refusal:
        raise _located(refusal, values, attempt, attribute, first_row, table) from refusal
    check_nulls(array, attribute, first_row, table)
    return array


def check_nulls(array: pa.Array, attribute: Attribute, first_row: int, table: str) -> None:
    """Raise `MissingAttributeError` for the first null where a value is required."""
    if array.null_count and not attribute.nullable and attribute.is_required:
        row = array.is_null().index(True).as_py()
        raise MissingAttributeError(attribute.name, table=table, row=first_row + row)


def attempt_for(stored: StoredType) -> Callable[[Column], pa.Array]:
    """A function that converts any slice of a column or raises `Refusal`."""
    from_python, kernel = _pythonattempt_for(stored), kernel_for(stored)

    def attempt(values: Column) -> pa.Array:
        if isinstance(values, list):
            return from_python(values)
        try:
            array = plain_array(values)
        except CAST_ERRORS as error:
            raise Refusal(f"cannot be read ({error})") from error
        return kernel(array)

    return attempt


def _pythonattempt_for(stored: StoredType) -> Callable[[list[Any]], pa.Array]:
    if stored in (CoreType("json"), NativeType("json"), NativeType("jsonb")):
        return documents
    if isinstance(stored, NativeType) and stored.sql.endswith("[]"):
        return partial(map_python_lists, element=attempt_for(NativeType(stored.sql.removesuffix("[]"))))
    return partial(map_python_values, kernel=kernel_for(stored), target=arrow_type(stored))


def _located(
    refusal: Refusal,
    values: Column,
    attempt: Callable[[Column], pa.Array],
    attribute: Attribute,
    first_row: int,
    table: str,
) -> DataTypeError:
    row, reason = _first_refused(refusal, values, attempt)
    expected = str(attribute.type)
    return DataTypeError(
        reason,
        column=attribute.name,
        expected=expected,
        row=first_row + row,
        value=shown(values[row]),
        table=table,
    )


def _first_refused(
    refusal: Refusal, values: Column, attempt: Callable[[Column], pa.Array]
) -> tuple[int, str]:
    """The first row that is refused by itself, found by halving, and why."""
    low, high = 0, len(values)
    if is_all_null(values):
        return low, refusal.reason
    while high - low > 1:
        middle = (low + high) // 2
        try:
            if not is_all_null(values[low:middle]):
                attempt(values[low:middle])
        except Refusal as earlier:
            high, refusal = middle, earlier
        else:
            low = middle
    try:
        attempt(values[low:high])
    except Refusal as exact:
        refusal = exact
    return low, refusal.reason


def shown(value: Any) -> Any:
    """A value of any column as a plain Python value, for a message."""
    return (
        value.as_py()
        if isinstance(value, pa.Scalar)
        else value.item()
        if isinstance(value, np.generic)
        else value
    )
