"""Polars expressions in the planner's terms: what the server can compute exactly, and what it cannot.

A Polars expression means what Polars computes on the table's rows. It becomes a scalar of the planner only
where the server gives the same, or refuses loudly where Polars would wrap around.
"""

from djflow.planner.polars_expressions.attributes import output_attribute, polars_schema, selected_names
from djflow.planner.polars_expressions.elementwise import is_elementwise
from djflow.planner.polars_expressions.names import is_expression, names_read
from djflow.planner.polars_expressions.reading import read_condition, read_expression, read_summary

__all__ = [
    "is_elementwise",
    "is_expression",
    "names_read",
    "output_attribute",
    "polars_schema",
    "read_condition",
    "read_expression",
    "read_summary",
    "selected_names",
]
