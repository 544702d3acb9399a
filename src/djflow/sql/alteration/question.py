"""A question to the database before altering, as a query."""

from dataclasses import dataclass

from djflow.model.names import TableName
from djflow.sql.alteration.changes import Change
from djflow.sql.identifiers import qualified, quote


@dataclass(frozen=True, slots=True)
class Conversion:
    """Values of a column on their way to another type and back, which the server may end with an error.

    `forth` is an expression of the text `v`, `back` one of `w`, a value of the type `target`.
    """

    column: str
    before: str
    target: str
    forth: str
    back: str


@dataclass(frozen=True, slots=True)
class Question:
    """How many rows of a table meet a condition; if any, `change` loses data or cannot be made.

    `condition` speaks of the table as `t`. `shown` are the columns that identify a row in a message.
    `converts` tells that the condition converts values, of which another question says whether they can be.
    """

    table: TableName
    change: Change
    condition: str
    reason: str
    advice: str = ""
    loses: bool = False
    shown: tuple[str, ...] = ()
    conversion: Conversion | None = None
    converts: bool = False

    def count(self) -> str:
        """The query for the number of rows."""
        return f"SELECT count(*) FROM {qualified(self.table)} AS t WHERE {self.condition}"

    def example(self) -> str:
        """The query for one such row, its shown columns as text."""
        columns = ", ".join(f"CAST(t.{quote(name)} AS text)" for name in self.shown) or "NULL"
        order = ", ".join(f"t.{quote(name)}" for name in self.shown[:1]) or "1"
        rows = f"{qualified(self.table)} AS t WHERE {self.condition}"
        return f"SELECT {columns} FROM {rows} ORDER BY {order} LIMIT 1"
