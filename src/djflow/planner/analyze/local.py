"""Polars expressions that have no exact translation, wrapped for the plan."""

from typing import TYPE_CHECKING

from djflow.model.table import Heading
from djflow.planner.nodes import LocalExpression
from djflow.planner.polars_expressions import is_elementwise, names_read

if TYPE_CHECKING:
    import polars as pl


def local_expression(expr: "pl.Expr", heading: Heading) -> LocalExpression:
    """The expression with what it reads of a heading.

    Raises `UnknownAttributeError` for a column that the heading lacks.
    """
    return LocalExpression(expr, names_read(expr, heading), is_elementwise(expr))
