"""The types of attributes and of Polars, each in the other's terms."""

from functools import cache
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from djflow.errors import QueryError
from djflow.model.table import Attribute, Heading
from djflow.model.types import CodecType, CoreType, NativeType, StoredType, arrow_type
from djflow.planner.polars_expressions.names import names_read

if TYPE_CHECKING:
    import polars as pl

_STORED: Final[dict[str, StoredType]] = {
    **{f"Int{bits}": CoreType(f"int{bits}") for bits in (8, 16, 32, 64)},
    # There are no unsigned types in the database: the next wider one holds all of their values.
    "UInt8": CoreType("int16"),
    "UInt16": CoreType("int32"),
    "UInt32": CoreType("int64"),
    "UInt64": CoreType("decimal", (20, 0)),
    "Int128": CoreType("decimal", (38, 0)),
    "Float32": CoreType("float32"),
    "Float64": CoreType("float64"),
    "Boolean": CoreType("bool"),
    "String": CoreType("varchar"),
    "Categorical": CoreType("varchar"),
    "Enum": CoreType("varchar"),
    "Null": CoreType("varchar"),
    "Date": CoreType("date"),
    "Binary": CoreType("bytes"),
    "Time": NativeType("time without time zone"),
}
_ELEMENTS: Final = {
    "Int16": "smallint",
    "Int32": "integer",
    "Int64": "bigint",
    "Float32": "real",
    "Float64": "double precision",
    "Boolean": "boolean",
    "String": "text",
}


@cache
def _column_dtype(stored: StoredType) -> "pl.DataType":
    import polars as pl

    column = pl.from_arrow(pa.array([], arrow_type(stored)))
    assert isinstance(column, pl.Series)  # noqa: S101 - an array went in
    return column.dtype


def polars_schema(heading: Heading) -> "pl.Schema":
    """The Polars type of each attribute, as in the frames of `to_polars()`; `Object` for codecs' values.

    >>> from djflow.planner.scalar import INT64
    >>> polars_schema(Heading((Attribute("n", INT64, INT64),)))["n"]
    Int64
    """
    import polars as pl

    return pl.Schema(
        {a.name: pl.Object() if isinstance(a.type, CodecType) else _column_dtype(a.stored) for a in heading}
    )


def result_dtype(expr: "pl.Expr", heading: Heading, *, summary: bool) -> "pl.DataType":
    """The type that Polars gives to an expression over the attributes.

    Raises `QueryError` for an expression of several columns, and Polars' own errors.
    """
    import polars as pl

    frame = pl.LazyFrame(schema=polars_schema(heading))
    rows = frame.group_by(pl.lit(0).alias(_GROUP)).agg(expr) if summary else frame.select(expr)
    schema = rows.collect_schema()
    dtypes = [dtype for name, dtype in schema.items() if name != _GROUP]
    if len(dtypes) != 1:
        raise QueryError(f"A Polars expression must give one column, not {len(dtypes)}; write one for each.")
    return dtypes[0]


_GROUP: Final = "the group of all rows"


def output_attribute(name: str, expr: "pl.Expr", heading: Heading, *, summary: bool) -> Attribute:
    """The attribute, nullable and without lineage, that Polars makes of an expression over the heading.

    Unsigned integers become the next wider signed type. Raises `QueryError` for an expression that Polars
    refuses, or whose type has no twin in the database.

    >>> import polars as pl
    >>> from djflow.planner.scalar import INT64
    >>> heading = Heading((Attribute("n", INT64, INT64),))
    >>> str(output_attribute("half", pl.col("n") / 2, heading, summary=False).type)
    'float64'
    """
    import polars as pl

    try:
        dtype = result_dtype(expr, heading, summary=summary)
    except pl.exceptions.PolarsError as error:
        read = names_read(expr, heading)
        reason = str(error).partition("\n")[0].rstrip(".")
        raise QueryError(
            f"Polars refuses the expression for {name!r}: {reason}.{_advice(reason, read, heading)}"
        ) from error
    stored = stored_twin(dtype)
    if stored is None:
        raise QueryError(
            f"The expression for {name!r} gives {dtype}, which is no type of an attribute. Convert it in the "
            "expression, for example with .cast(...) or .struct.field(...), or compute it on to_polars()."
        )
    return Attribute(name, stored, stored, nullable=True)


def selected_names(expr: "pl.Expr", heading: Heading) -> list[str]:
    """The attributes that a selection such as `pl.all()` stands for.

    Raises `UnknownAttributeError` for one that the heading lacks.

    >>> import polars as pl
    >>> from djflow.planner.scalar import INT64
    >>> heading = Heading(tuple(Attribute(name, INT64, INT64) for name in "abc"))
    >>> selected_names(pl.exclude("b"), heading)
    ['a', 'c']
    """
    import polars as pl

    try:
        return pl.LazyFrame(schema=polars_schema(heading)).select(expr).collect_schema().names()
    except pl.exceptions.PolarsError as error:
        names_read(expr, heading)
        raise QueryError(f"Polars refuses {expr}: {str(error).partition(chr(10))[0]}") from error


def _advice(reason: str, read: frozenset[str], heading: Heading) -> str:
    """What to write instead of an expression that Polars refuses."""
    encoded = sorted(name for name in read if isinstance(heading[name].type, CodecType))
    if encoded:
        return (
            f" A codec encodes {', '.join(map(repr, encoded))}: of it, expressions see only is_null(). "
            "Compute on the rows of to_polars()."
        )
    if "date/datetime/time" in reason:
        return " Write the moment as a value of Python: datetime.date(2001, 1, 1)."
    return ""


def stored_twin(dtype: "pl.DataType") -> StoredType | None:
    """The type of an attribute that holds all values of a Polars type, or None.

    >>> import polars as pl
    >>> str(stored_twin(pl.UInt32())), stored_twin(pl.Struct({}))
    ('int64', None)
    """
    import polars as pl

    match dtype:
        case pl.Decimal():
            return CoreType("decimal", (dtype.precision or 38, dtype.scale))
        case pl.Datetime() if dtype.time_unit != "ns":
            return _DATETIMES.get(dtype.time_zone)
        case pl.Duration() if dtype.time_unit != "ns":
            return NativeType("interval")
        case pl.List():
            element = _ELEMENTS.get(str(dtype.inner))
            return None if element is None else NativeType(f"{element}[]")
        case _:
            return _STORED.get(str(dtype.base_type()))


_DATETIMES: Final[dict[str | None, StoredType]] = {
    None: CoreType("datetime"),
    "UTC": NativeType("timestamp with time zone"),
}
