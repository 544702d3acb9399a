"""One row, as users' scripts ask for it most often: straight from the driver, without a frame around it."""

from typing import Any, Final

import pyarrow as pa

from djflow.engine.plan_cache import prepared
from djflow.engine.run import resolved
from djflow.errors import QueryError
from djflow.model.table import Attribute
from djflow.model.types import CoreType, EnumType, arrow_type
from djflow.planner import analyze
from djflow.planner.carry import carried_type
from djflow.planner.facts import row_bound
from djflow.planner.nodes import Node
from djflow.relation.database import Database
from djflow.relation.decode import python_values

# Types whose values the driver gives as they are.
_AS_THEY_ARE: Final = frozenset(
    {"int8", "int16", "int32", "int64", "float32", "float64", "bool", "varchar", "char", "date", "datetime"}
)


def the_only_row(plan: Node, database: Database) -> dict[str, Any]:
    """The row of a relation that must have exactly one, as Python values.

    Raises `QueryError` for none or several.
    """
    if row_bound(plan) != 1:
        plan = analyze.top(plan, limit=2)
    database.before_query(plan)
    found = _rows(plan, database)
    if len(found) != 1:
        many = "none" if not found else "more than one"
        raise QueryError(f"fetch1 needs exactly one row and found {many}. Restrict by a full key first.")
    return {
        a.name: value if _is_simple(a) else _decoded(value, a, database)
        for a, value in zip(plan.heading, found[0], strict=False)  # without attributes there is one column
    }


def _rows(plan: Node, database: Database) -> list[tuple[Any, ...]]:
    """At most two rows, their values as the driver carries them."""
    session = database.session
    statement = prepared(resolved(session, plan)).statement
    return session.query_rows(statement.sql, statement.parameters, statement.shipped(session.inline_values))


def _is_simple(attribute: Attribute) -> bool:
    kind = attribute.type
    return isinstance(kind, EnumType) or (isinstance(kind, CoreType) and kind.name in _AS_THEY_ARE)


def _decoded(value: Any, attribute: Attribute, database: Database) -> Any:
    column = pa.chunked_array([pa.array([value], carried_type(attribute.stored))])
    return python_values(column.cast(arrow_type(attribute.stored)), attribute, database)[0]
