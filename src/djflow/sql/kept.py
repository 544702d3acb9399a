"""Temporary tables that keep keys for as long as a transaction lasts."""

from collections.abc import Sequence

from djflow.model.names import TableName
from djflow.sql.identifiers import qualified, quote


def create_kept(name: str, table: TableName, columns: Sequence[str]) -> str:
    """An empty temporary table with some of the columns of a table; it goes with the transaction.

    >>> create_kept("kept_1", TableName("lab", "subject"), ["id"])
    'CREATE TEMPORARY TABLE "kept_1" ON COMMIT DROP AS SELECT "id" FROM "lab"."subject" WITH NO DATA'
    """
    selected = f"SELECT {', '.join(map(quote, columns))} FROM {qualified(table)}"
    return f"CREATE TEMPORARY TABLE {quote(name)} ON COMMIT DROP AS {selected} WITH NO DATA"


def fill_kept(kept: TableName, columns: Sequence[str], rows: str) -> str:
    """Put the rows of a SELECT into a temporary table."""
    listed = ", ".join(map(quote, columns))
    return f"INSERT INTO {qualified(kept)} ({listed}) {rows}"


def analyze_kept(kept: TableName) -> str:
    """Have the server look at how many rows there are, so that it plans for them."""
    return f"ANALYZE {qualified(kept)}"
