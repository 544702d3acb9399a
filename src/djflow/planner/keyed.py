"""Rows that nothing tells apart."""

from djflow.errors import QueryError
from djflow.model.names import TableName


def not_keyed(name: TableName) -> QueryError:
    """The error where only a primary key could tell which rows of a table are meant, and there is none."""
    return QueryError(
        f"{name} has no primary key that tells its rows apart: choose them by conditions on their own "
        "attributes, or by tables that do not depend on it."
    )
