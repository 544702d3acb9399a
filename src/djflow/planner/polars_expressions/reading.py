"""From Polars' trees to scalars."""

from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Final

from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.polars_expressions.attributes import result_dtype, stored_twin
from djflow.planner.polars_expressions.elementwise import is_elementwise
from djflow.planner.polars_expressions.kinds import Value, as_kind
from djflow.planner.polars_expressions.names import names_read
from djflow.planner.polars_expressions.rows import Reader, row_reader
from djflow.planner.polars_expressions.serialised import UntranslatableError, tree_of
from djflow.planner.polars_expressions.summaries import summary_reader

if TYPE_CHECKING:
    import polars as pl

# Guards repeat what they guard: a scalar larger than this would be slower than reading the rows.
_LARGEST: Final = 1000


def read_expression(expr: "pl.Expr", heading: Heading) -> s.Scalar | None:
    """The scalar of an expression over one row, or None where the server has no exact twin.

    Raises `UnknownAttributeError` for a column that is no attribute.

    >>> import polars as pl
    >>> from djflow.model.table import Attribute
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64),))
    >>> s.show(read_expression(pl.col("n") + 1 > 5, heading))
    '(n + 1) > 5'
    >>> read_expression(pl.col("n").rank(), heading)
    """
    return _read(expr, heading, row_reader, summary=False)


def read_summary(expr: "pl.Expr", heading: Heading) -> s.Scalar | None:
    """The scalar of an expression over summaries of rows, or None where the server has no exact twin.

    Raises `UnknownAttributeError` for a column that is no attribute.

    >>> import polars as pl
    >>> from djflow.model.table import Attribute
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64),))
    >>> s.show(read_summary(pl.col("n").sum(), heading))
    'coalesce(sum(n), 0)'
    """
    return _read(expr, heading, summary_reader, summary=True)


def read_condition(expr: "pl.Expr", heading: Heading) -> "tuple[tuple[s.Scalar, ...], pl.Expr | None]":
    """The conjuncts of a condition that the server decides exactly, and the conjunction of the rest.

    Nothing is split off where the rest looks at other rows, since the conjuncts would remove some of these.
    Raises `UnknownAttributeError` for a column that is no attribute.

    >>> import polars as pl
    >>> from djflow.model.table import Attribute
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64),))
    >>> parts, rest = read_condition((pl.col("n") > 5) & pl.col("n").sin().is_nan(), heading)
    >>> [s.show(part) for part in parts], str(rest)
    (['n > 5'], 'col("n").sin().is_nan()')
    """
    names_read(expr, heading)
    read = [(part, _condition(part, heading)) for part in _conjuncts(expr)]
    rest = [part for part, scalar in read if scalar is None]
    if not all(map(is_elementwise, rest)):
        return (), expr
    left: pl.Expr | None = None
    for part in rest:
        left = part if left is None else left & part
    return tuple(scalar for _, scalar in read if scalar is not None), left


def _condition(expr: "pl.Expr", heading: Heading) -> s.Scalar | None:
    scalar = read_expression(expr, heading)
    return scalar if scalar is None or s.type_of(scalar) == s.BOOL else None


def _conjuncts(expr: "pl.Expr") -> "list[pl.Expr]":
    """The parts of a conjunction, in order."""
    try:
        tree = tree_of(expr)
        if isinstance(tree, dict) and tree.get("BinaryExpr", {}).get("op") == "And":
            right, left = expr.meta.pop()
            return [*_conjuncts(left), *_conjuncts(right)]
    except Exception:  # noqa: BLE001 - what cannot be read stays whole
        return [expr]
    return [expr]


def _read(
    expr: "pl.Expr", heading: Heading, reader: Callable[[Heading], Reader], *, summary: bool
) -> s.Scalar | None:
    names = names_read(expr, heading)
    used = heading.select(name for name in heading.names if name in names)
    try:
        value = reader(heading)(tree_of(expr))
        scalar = _settled(value, result_dtype(expr, used, summary=summary))
        return None if _is_large(scalar) else scalar
    except Exception:  # noqa: BLE001 - a shape that this version does not know is computed by Polars
        return None


def _settled(value: Value, dtype: "pl.DataType") -> s.Scalar:
    """The scalar of the root, whose type must be the one that Polars gives."""
    stored = stored_twin(dtype)
    kind = "Decimal" if dtype.is_decimal() else str(dtype.base_type())
    if stored is None or (value.kind == "Decimal" and s.type_of(value.scalar) != stored):
        raise UntranslatableError("another type")
    if value.kind in ("DynInt", "DynFloat"):
        return s.Cast(as_kind(value, kind), stored)
    if value.kind != kind:
        raise UntranslatableError(f"{value.kind} instead of {kind}")
    # Labels and padded text become plain text, and constants, which travel wide, their own type.
    plain = s.type_of(value.scalar) == stored and not isinstance(value.scalar, s.Constant)
    return value.scalar if plain else s.Cast(value.scalar, stored)


def _is_large(scalar: s.Scalar) -> bool:
    return next(islice(s.walk(scalar), _LARGEST, None), None) is not None
