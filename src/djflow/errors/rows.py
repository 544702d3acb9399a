"""Errors of rows: those there are, and those that are missing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from djflow.errors.query import QueryError

if TYPE_CHECKING:
    import polars as pl


class DuplicateError(QueryError):
    """A key that exists already. `table`, `constraint` and `key` say which."""

    table: str
    constraint: str
    key: str

    def __init__(self, message: str, *, table: str = "", constraint: str = "", key: str = "") -> None:
        self.table, self.constraint, self.key = table, constraint, key
        super().__init__(message, sqlstate="23505")


class ConflictError(DuplicateError):
    """Keys that exist with other values than those given.

    `differences` is a Polars frame of the first thousand: the key, `column`, `existing` and `given` as text.
    """

    def __init__(self, message: str, *, differences: "pl.DataFrame", table: str = "", key: str = "") -> None:
        self.differences = differences
        super().__init__(message, table=table, key=key)


class MissingRowError(QueryError):
    """A row that must exist and does not. `table` and `key` (name to value) say which."""

    table: str
    key: dict[str, object]

    def __init__(self, message: str, *, table: str = "", key: Mapping[str, object] | None = None) -> None:
        self.table, self.key = table, dict(key or {})
        super().__init__(message)


class IntegrityError(QueryError):
    """A foreign key or another constraint is violated. `table`, `constraint` and `key` say which."""

    table: str
    constraint: str
    key: str

    def __init__(
        self, message: str, *, table: str = "", constraint: str = "", key: str = "", sqlstate: str = "23503"
    ) -> None:
        self.table, self.constraint, self.key = table, constraint, key
        super().__init__(message, sqlstate=sqlstate)


class PartIntegrityError(QueryError):
    """Parts that would go without their master. `part` and `master` are tables, `masters` counts rows."""

    part: str
    master: str
    masters: int | None

    def __init__(self, message: str, *, part: str, master: str, masters: int | None = None) -> None:
        self.part, self.master, self.masters = part, master, masters
        super().__init__(message)


class InvalidRowsError(QueryError):
    """A source of rows, or one of its rows, in a form that insert does not understand. `row` is 0-based."""

    def __init__(self, message: str, *, row: int | None = None) -> None:
        self.row = row
        super().__init__(message)
