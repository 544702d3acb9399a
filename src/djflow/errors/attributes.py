"""Errors of attributes and their values."""

from collections.abc import Sequence

from djflow.errors.query import QueryError
from djflow.errors.text import did_you_mean, pointed, shown


class UnknownAttributeError(QueryError):
    """A name that the heading does not have.

    Attributes: `name`, `heading` (the names there are), `context`, and for a name inside an
    expression its `text` and `position` (0-based). `hint` is shown where no attribute has a similar name.
    """

    name: str
    heading: tuple[str, ...]
    context: str
    text: str
    position: int | None

    def __init__(
        self,
        name: str,
        heading: Sequence[str],
        *,
        context: str = "",
        text: str = "",
        position: int | None = None,
        hint: str = "",
    ) -> None:
        self.name, self.heading, self.context = name, tuple(heading), context
        self.text, self.position = text, position
        where = f" in {context}" if context else ""
        known = ", ".join(self.heading) or "none"
        advice = did_you_mean(name, self.heading) or (hint and f" {hint}")
        super().__init__(
            f"No attribute {name!r}{where}.{advice} Attributes: {known}." + pointed(text, position)
        )


class MissingAttributeError(QueryError):
    """A required attribute that the given rows lack.

    Attributes: `name`, `table`, `row` (0-based, None where all rows lack it).
    """

    name: str
    table: str
    row: int | None

    def __init__(self, name: str, *, table: str = "", row: int | None = None) -> None:
        self.name, self.table, self.row = name, table, row
        at = f" in row {row}" if row is not None else ""
        super().__init__(
            f"{table or 'The table'} requires attribute {name!r}, which is missing{at}. "
            "Give it a value, or a default in the definition."
        )


class DataTypeError(QueryError):
    """A value that its column cannot hold.

    Attributes: `reason`, `table`, `column`, `expected` (its type), `value`, `row` (0-based, or None), for a
    value inside an expression its `text` and `position` (0-based).
    """

    reason: str
    column: str
    expected: str
    row: int | None
    value: object
    table: str
    text: str
    position: int | None

    def __init__(
        self,
        reason: str,
        *,
        column: str,
        expected: str,
        row: int | None = None,
        value: object = None,
        table: str = "",
        text: str = "",
        position: int | None = None,
    ) -> None:
        self.reason, self.column, self.expected = reason, column, expected
        self.row, self.value, self.table = row, value, table
        got = shown(value)
        if len(got) > 80:  # noqa: PLR2004 - a message stays readable
            got = got[:77] + "..."
        at = "" if row is None else f"row {row}, "
        where = f"{table}: " if table else ""
        self.text, self.position = text, position
        super().__init__(
            f"{where}{at}column {column!r}: {reason}. Expected {expected}, got {got}."
            + pointed(text, position)
        )

    def point_at(self, text: str, position: int | None) -> "DataTypeError":
        """The same error, for a value inside an expression."""
        return DataTypeError(
            self.reason,
            column=self.column,
            expected=self.expected,
            value=self.value,
            text=text,
            position=position,
        )
