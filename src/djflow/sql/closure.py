"""The rows of a table that others of it reach over its references to itself."""

from collections.abc import Sequence

from djflow.model.names import TableName
from djflow.sql.identifiers import qualified, quote


def closure(
    table: TableName, names: Sequence[str], rows: str, edges: Sequence[Sequence[tuple[str, str]]]
) -> str:
    """The SELECT of some rows and of all that they reach, each once.

    `rows` is the SELECT of the first ones with the columns `names`, among them all on which the edges
    depend. An edge pairs columns of the next row with those of the one before.

    >>> print(closure(TableName("lab", "mouse"), ["id"], "SELECT 1 AS id", [[("mother", "id")]]))
    WITH RECURSIVE reached AS ((SELECT 1 AS id) UNION SELECT t."id" FROM "lab"."mouse" AS t JOIN reached
      ON (t."mother" = reached."id")) SELECT "id" FROM reached
    """
    columns = ", ".join(f"t.{quote(name)}" for name in names)
    matches = " OR ".join(f"({_equal(edge)})" for edge in edges)
    step = f"SELECT {columns} FROM {qualified(table)} AS t JOIN reached ON {matches}"
    listed = ", ".join(map(quote, names))
    return f"WITH RECURSIVE reached AS (({rows}) UNION {step}) SELECT {listed} FROM reached"


def _equal(edge: Sequence[tuple[str, str]]) -> str:
    return " AND ".join(f"t.{quote(next_)} = reached.{quote(before)}" for next_, before in edge)
