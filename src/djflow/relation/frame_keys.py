"""The keys in a local frame, as a restriction compares them: what fits no attribute matches nothing."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import NoneType
from typing import Any

import pyarrow as pa

from djflow.errors import DataTypeError, DjflowError
from djflow.ingest.convert import convert
from djflow.model.table import Attribute, Heading
from djflow.model.types import CoreType, StoredType
from djflow.planner import scalar as s
from djflow.planner.coerce import coerce
from djflow.planner.listed import is_listed
from djflow.planner.nodes import LocalFrame
from djflow.planner.parameters import as_travelling, travel_type
from djflow.relation.frame_sources import Columns, reader_for


def local_frame(condition: Any, heading: Heading) -> LocalFrame | None:
    """The keys that a frame or a list of alike dicts holds, or None for other conditions.

    Only the attributes that the heading has are read. Where there are none, what matters is whether
    there are rows, and the frame's heading is empty.

    Raises `DataTypeError` for a value that cannot be compared with its attribute, with its row.

    >>> number = Attribute("n", s.INT64, s.INT64)
    >>> local_frame(pa.table({"n": [1.0, 2.5], "x": [0, 0]}), Heading((number,))).frame.to_pydict()
    {'n': [1, None]}
    """
    if isinstance(condition, list | tuple):
        return _frame_of_dicts(condition, heading)
    read = reader_for(condition)
    if read is None:
        return None
    return _keys(read(condition, heading, lambda names: [name for name in names if name in heading]), heading)


def _keys(columns: Columns, heading: Heading) -> LocalFrame:
    if not columns.values:
        return LocalFrame(pa.table({"_row": pa.nulls(columns.rows)}), Heading(()))
    attributes = tuple(heading[name] for name in columns.values)
    arrays = [_travelling(columns.values[a.name], a) for a in attributes]
    return LocalFrame(pa.table(arrays, names=list(columns.values)), Heading(attributes))


def _travelling(values: pa.Array | list[Any], attribute: Attribute) -> pa.Array:
    if isinstance(values, list):
        return _from_values(values, attribute)
    travel = travel_type(attribute.stored)
    if pa.types.is_temporal(values.type) and s.is_numeric(attribute.stored):
        return _coerced(values.to_pylist(), attribute)  # Arrow would take an instant for a number
    try:
        return _read_as(values, attribute).cast(travel)
    except (DataTypeError, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _coerced(values.to_pylist(), attribute)


def _read_as(values: pa.Array, attribute: Attribute) -> pa.Array:
    """Values whose text the server would read, checked here and in its own form."""
    if travel_type(attribute.stored) != pa.string() or s.is_text(attribute.stored):
        return values
    return convert(values, replace(attribute, stored=finer(attribute.stored), nullable=True))


def finer(stored: StoredType) -> StoredType:
    """A type of many more decimals, in which what a decimal would round stays what it is.

    >>> str(finer(CoreType("decimal", (8, 3))))
    'decimal(38,33)'
    """
    match stored:
        case CoreType("decimal", (precision, scale)):
            more = min(30, 76 - precision)  # what Arrow's widest decimal holds
            return CoreType("decimal", (precision + more, scale + more))
        case _:
            return stored


def _frame_of_dicts(rows: Sequence[Any], heading: Heading) -> LocalFrame | None:
    # Tests run once a type, not once a value: there may be many thousand keys.
    if not rows or not all(issubclass(kind, Mapping) for kind in set(map(type, rows))):
        return None
    names = [name for name in rows[0] if name in heading]
    keys = rows[0].keys()
    if not names or any(row.keys() != keys for row in rows):
        return None
    if any("." in name and name.partition(".")[0] in heading for name in keys):
        return None
    columns = {name: [row[name] for row in rows] for name in names}
    if any(_is_special(kind) for values in columns.values() for kind in set(map(type, values))):
        return None
    return _keys(Columns(columns, len(rows)), heading)


def _is_special(kind: type) -> bool:
    """A null means IS NULL and a list means IN; neither is equality."""
    return issubclass(kind, NoneType | dict) or is_listed(kind)


def _from_values(values: list[Any], attribute: Attribute) -> pa.Array:
    travel = travel_type(attribute.stored)
    kinds = set(map(type, values))
    if (travel == pa.int64() and kinds == {int}) or (s.is_text(attribute.stored) and kinds == {str}):
        try:
            return pa.array(values, travel)
        except (pa.ArrowInvalid, OverflowError):
            pass
    return _coerced(values, attribute)


def _coerced(values: Iterable[Any], attribute: Attribute) -> pa.Array:
    travel = travel_type(attribute.stored)
    fitted = []
    for row, value in enumerate(values):
        try:
            found, type_ = coerce(value, attribute.stored, attribute.name)
        except DataTypeError as error:
            raise _in_row(error, row) from None
        fits = travel_type(type_) == travel and not _has_clock(found, attribute.stored)
        fitted.append(as_travelling(found if fits else None, travel))  # 2.5 equals no integer
    return pa.array(fitted, travel)


def _in_row(error: DataTypeError, row: int) -> DjflowError:
    located = DataTypeError(
        error.reason, column=error.column, expected=error.expected, row=row, value=error.value
    )
    return located.suggest(f"It stands in row {row} of the keys.")


def _has_clock(value: Any, stored: StoredType) -> bool:
    """Whether an instant is no date: as text the server would read its day alone."""
    return isinstance(value, dt.datetime) and s.core_name(stored) == "date" and value.time() != dt.time()
