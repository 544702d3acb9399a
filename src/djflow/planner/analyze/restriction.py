"""Rows that satisfy conditions: restriction, exclusion, semi-joins."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from djflow.errors import DataTypeError, QueryError
from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.analyze.local import local_expression
from djflow.planner.analyze.matching import homologous
from djflow.planner.listed import is_listed, listed
from djflow.planner.memo import memoised
from djflow.planner.nodes import LocalRestrict, Node, Restrict, SemiJoin
from djflow.planner.operators import compare, in_list
from djflow.planner.polars_expressions import (
    is_elementwise,
    output_attribute,
    read_condition,
    read_expression,
)

if TYPE_CHECKING:
    import polars as pl


def restrict(source: Node, condition: s.Scalar) -> Node:
    """Rows for which the condition is true."""
    return Restrict(source, condition)


def exclude(source: Node, condition: s.Scalar) -> Node:
    """Rows for which the condition is not true; unknown counts as not true."""
    return Restrict(source, s.Not(s.IsTrue(condition)))


def keep(source: Node, expr: "pl.Expr", *, negated: bool = False) -> Node:
    """Rows for which a Polars expression is true, or, negated, those for which it is not.

    What translates exactly is a restriction like any other; Polars judges the rest.
    Raises `QueryError` unless the expression is boolean.
    """
    kind = output_attribute("condition", expr, source.heading, summary=False).stored
    if kind != s.BOOL:
        raise QueryError(
            f"A condition must be true or false, but {expr} is {kind}. "
            "A comparison needs parentheses: (pl.col('x') > 0.5)."
        )
    if negated:
        scalar = read_expression(expr, source.heading)
        if scalar is not None:
            return exclude(source, scalar)
        opposite = ~expr.fill_null(value=False)
        return LocalRestrict(source, local_expression(opposite, source.heading))
    parts, rest = read_condition(expr, source.heading)
    if rest is not None and not is_elementwise(rest):
        # It sees the other rows, all of them: nothing may be filtered before.
        return LocalRestrict(source, local_expression(expr, source.heading))
    if parts:
        source = restrict(source, s.conjunction(parts))
    return source if rest is None else LocalRestrict(source, local_expression(rest, source.heading))


def equalities(values: Mapping[str, Any], heading: Heading) -> s.Scalar:
    """The condition of a dict: equal in all attributes that the heading has, others ignored.

    >>> from djflow.model.table import Attribute
    >>> from djflow.planner.scalar import INT64, show
    >>> show(equalities({"n": 1, "else": 2}, Heading((Attribute("n", INT64, INT64),))))
    'n = 1'
    """
    parts: list[s.Scalar] = []
    for name, value in values.items():
        if not isinstance(name, str):
            raise QueryError(f"A dict restricts attributes by their names, and {name!r} is no name.")
        head, *path = name.split(".")
        if head not in heading:
            continue
        column: s.Scalar = s.Column(head, heading[head].stored)
        if path:
            column = s.JsonPath(column, tuple(path))
            value = ("true" if value else "false") if isinstance(value, bool) else value  # noqa: PLW2901
        if value is None:
            parts.append(s.IsNull(column))
        elif _is_several(value) and s.core_name(s.type_of(column)) != "json":
            parts.append(_any_of(column, value, name))
        else:
            parts.append(compare("=", column, s.Constant(value, s.TEXT)))
    return s.conjunction(tuple(parts))


def _is_several(value: Any) -> bool:
    return is_listed(type(value)) and getattr(value, "ndim", 1) != 0


def _any_of(item: s.Scalar, values: Any, name: str) -> s.Scalar:
    try:
        options = listed(values)
    except ValueError as error:
        raise DataTypeError(
            "this is not one value, nor a list of values",
            column=name,
            expected=f"{s.type_of(item)}, or a list of it; frames and queries restrict by themselves",
            value=type(values),
        ) from error
    if isinstance(item, s.JsonPath):
        return s.Or(tuple(compare("=", item, s.Constant(option, s.TEXT)) for option in options))
    return in_list(item, options) if options else s.FALSE


@memoised
def semi_join(source: Node, other: Node, *, negated: bool = False, semantic_check: bool = True) -> Node:
    """Rows with (or without) a matching row in `other`."""
    on = homologous(source.heading, other.heading, semantic_check=semantic_check)
    return SemiJoin(source, other, on, negated)
