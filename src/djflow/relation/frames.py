"""Local frames as operands of joins: typed like a table, with a primary key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from djflow.errors import DataTypeError, DuplicateError, QueryError, UnknownAttributeError
from djflow.ingest.convert import convert
from djflow.model.table import Attribute, Heading
from djflow.model.types import CodecType, CoreType, NativeType, StoredType
from djflow.planner import scalar as s
from djflow.planner.nodes import LocalFrame
from djflow.planner.parameters import travel_type
from djflow.relation.frame_keys import finer
from djflow.relation.frame_sources import Columns, Values, reader_for

if TYPE_CHECKING:
    from djflow.relation.relation import Relation

_STORED: Final[dict[pa.DataType, StoredType]] = {
    pa.int8(): CoreType("int8"),
    pa.int16(): CoreType("int16"),
    pa.int32(): CoreType("int32"),
    pa.int64(): s.INT64,
    pa.uint8(): CoreType("int16"),
    pa.uint16(): CoreType("int32"),
    pa.uint32(): s.INT64,
    pa.uint64(): CoreType("decimal", (20, 0)),
    pa.float32(): CoreType("float32"),
    pa.float64(): s.FLOAT64,
    pa.bool_(): s.BOOL,
    pa.string(): s.TEXT,
    pa.binary(): CoreType("bytes"),
    pa.date32(): s.DATE,
    pa.date64(): s.DATE,
}


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A local frame to join with tables: `Session * dj.Frame(frame, key=["subject", "session"])`.

    `data` is a Polars frame, lazy or not, a pandas frame, an Arrow table, batch, reader or dataset,
    anything with `__arrow_c_stream__`, a numpy structured array, a list of dicts, or the `pathlib.Path`
    of a CSV or Parquet file. It is read anew by each operator that it is given to.

    `key` names the columns that identify its rows. By default these are the attributes that it shares
    with the other side if they are unique in the frame, else all of its columns.

    Columns match by name. Those that the other side has take its types, exactly; the others take
    the type that they have in Arrow.

    >>> Frame({"subject": [1]})
    Traceback (most recent call last):
    djflow.errors.QueryError: dict is not a frame. Give a Polars, pandas or Arrow frame, ...
    >>> Frame(pa.table({"subject": [1]}), key="subject")
    Frame(Table, key=('subject',))
    """

    data: Any
    key: Sequence[str] | str | None = field(default=None)

    def __post_init__(self) -> None:
        if reader_for(self.data) is None:
            raise QueryError(
                f"{type(self.data).__name__} is not a frame. Give a Polars, pandas or Arrow frame, a numpy "
                "structured array, a list of dicts, or the pathlib.Path of a CSV or Parquet file."
            )
        if self.key is not None:
            object.__setattr__(self, "key", (self.key,) if isinstance(self.key, str) else tuple(self.key))

    def __repr__(self) -> str:
        return f"Frame({type(self.data).__name__}{'' if self.key is None else f', key={self.key}'})"

    def beside(self, other: Heading) -> LocalFrame:
        """The frame as an operand beside a relation of this heading.

        Raises `DataTypeError` for a value that does not fit the other side's attribute or a null in
        the key, `DuplicateError` for a key that is not unique, `QueryError` for a column without a type.
        """
        read = reader_for(self.data)
        assert read is not None  # noqa: S101 - checked when it was made
        columns = read(self.data, other, list)
        arrays = {name: _typed(name, values, other) for name, values in columns.values.items()}
        rows = pa.table([array for _, array in arrays.values()], names=list(arrays))
        key = self._key(rows, other, columns)
        heading = Heading.of(
            replace(attribute, in_key=attribute.name in key) for attribute, _ in arrays.values()
        )
        return LocalFrame(rows.select(list(heading.names)), heading)

    def _key(self, rows: pa.Table, other: Heading, columns: Columns) -> tuple[str, ...]:
        if self.key is not None:
            for name in self.key:
                if name not in columns.values:
                    raise UnknownAttributeError(name, rows.column_names, context="the key of the frame")
            return _checked(tuple(self.key), rows)
        shared = tuple(name for name in rows.column_names if name in other)
        if _first_repeat(shared, rows) is None:
            return _checked(shared, rows)
        return _checked(tuple(rows.column_names), rows)

    def __mul__(self, other: Any) -> "Relation":
        return self._related(other).join(other)

    def __and__(self, other: Any) -> "Relation":
        return self._related(other).restrict(other)

    def __sub__(self, other: Any) -> "Relation":
        rest: Relation = self._related(other) - other
        return rest

    def _related(self, other: Any) -> "Relation":
        """The frame as a relation of the database of another one."""
        from djflow.relation.relation import Relation

        if not hasattr(other, "logical_plan"):
            raise QueryError(
                f"A frame combines with a table or a query, not with {type(other).__name__}: "
                "it has no database of its own. Filter it before, or put the table first."
            )
        return Relation(self.beside(other.logical_plan.heading), other.connection)


def as_frame(source: Any) -> Frame | None:
    """The frame that an operand is or holds, or None for what is no frame."""
    if isinstance(source, Frame):
        return source
    return None if reader_for(source) is None else Frame(source)


# types


def _typed(name: str, values: Values, other: Heading) -> tuple[Attribute, pa.Array]:
    """The attribute of a column, and its values as they travel."""
    if name in other:
        attribute, exact = _shared(values, other[name])
    else:
        attribute, exact = _own(name, values)
    return replace(attribute, nullable=exact.null_count > 0), exact.cast(travel_type(attribute.stored))


def _shared(values: Values, attribute: Attribute) -> tuple[Attribute, pa.Array]:
    if isinstance(attribute.type, CodecType):
        raise QueryError(
            f"Cannot match on attribute {attribute.name!r} of type {attribute.type}: what a codec encodes "
            "does not compare. Rename the column of the frame."
        )
    wanted = replace(attribute, nullable=True)
    exact = convert(values, wanted, table="the frame")
    unrounded = convert(values, replace(wanted, stored=finer(attribute.stored)))
    _refuse_rounding(exact, unrounded, values, attribute)
    return wanted, exact


def _refuse_rounding(exact: pa.Array, unrounded: pa.Array, values: Values, attribute: Attribute) -> None:
    if exact.type == unrounded.type:
        return
    row = pc.equal(exact.cast(unrounded.type), unrounded).index(False).as_py()
    if row >= 0:
        raise DataTypeError(
            "the value would be rounded",
            column=attribute.name,
            expected=str(attribute.type),
            row=row,
            value=values[row] if isinstance(values, list) else values[row].as_py(),
            table="the frame",
        )


def _own(name: str, values: Values) -> tuple[Attribute, pa.Array]:
    array = _inferred(name, values) if isinstance(values, list) else values
    stored = _stored(array.type)
    if stored is None:
        raise QueryError(
            f"Column {name!r} of the frame has the type {array.type}, which no attribute has. "
            "Leave it out, or cast it first."
        )
    attribute = Attribute(name, stored, stored, nullable=True)
    return attribute, convert(array, attribute, table="the frame")


def _inferred(name: str, values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise QueryError(f"Column {name!r} of the frame has no single type: {error}") from error


def _stored(arrow: pa.DataType) -> StoredType | None:
    """The type of an attribute that holds a column of Arrow exactly.

    >>> str(_stored(pa.decimal128(8, 3))), str(_stored(pa.timestamp("ms"))), _stored(pa.list_(pa.int8()))
    ('decimal(8,3)', 'datetime', None)
    """
    types = pa.types
    if types.is_decimal(arrow):
        return CoreType("decimal", (arrow.precision, arrow.scale)) if arrow.scale >= 0 else None
    if types.is_timestamp(arrow):
        return s.DATETIME if arrow.tz is None else NativeType("timestamp with time zone")
    if types.is_time(arrow):
        return NativeType("time without time zone")
    return _STORED.get(arrow)


# keys


def _checked(key: tuple[str, ...], rows: pa.Table) -> tuple[str, ...]:
    for name in key:
        column = rows.column(name)
        if column.null_count:
            row = pc.index(column.is_null(), value=True).as_py()
            raise DataTypeError(
                "a key cannot be null",
                column=name,
                expected="a value in every row, or another key=[...] in dj.Frame",
                row=row,
                table="the frame",
            )
    repeat = _first_repeat(key, rows)
    if repeat is not None:
        raise _repeated(key, rows, repeat)
    return key


def _first_repeat(key: tuple[str, ...], rows: pa.Table) -> int | None:
    """The first row whose key stands in another row too."""
    if not key:
        return 0 if rows.num_rows > 1 else None
    import polars as pl

    frame = pl.from_arrow(rows.select(list(key)))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table, not an array, went in
    repeated = frame.is_duplicated()
    return repeated.arg_max() if repeated.any() else None


def _repeated(key: tuple[str, ...], rows: pa.Table, row: int) -> DuplicateError:
    shown = _shown({name: rows.column(name)[row].as_py() for name in key})
    return DuplicateError(
        f"The frame has several rows with {shown or 'its empty key'}, the first of them in row {row}. "
        "Name columns that identify its rows: dj.Frame(frame, key=[...]), or remove the duplicates.",
        table="the frame",
        key=shown,
    )


def _shown(values: Mapping[str, Any], limit: int = 200) -> str:
    text = ", ".join(f"{name}={value!r}" for name, value in values.items())
    return text if len(text) <= limit else text[: limit - 3] + "..."
