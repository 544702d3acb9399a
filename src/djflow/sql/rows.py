"""Statements that put rows into tables."""

from collections.abc import Iterable
from enum import Enum
from typing import Final

from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.identifiers import qualified, quote

_SHOWN: Final = 1000  # characters of a value that an error shows


class OnConflict(Enum):
    """What happens to a row whose primary key exists."""

    ERROR = "error"
    SKIP = "skip"
    UPDATE = "update"
    MATCH = "match"


def copy_into(name: TableName, columns: tuple[str, ...], form: str = "binary") -> str:
    """`COPY` into a table, in binary form or as CSV.

    >>> copy_into(TableName("lab", "subject"), ("id",))
    'COPY "lab"."subject" ("id") FROM STDIN (FORMAT binary)'
    """
    return f"COPY {qualified(name)} ({_listed(columns)}) FROM STDIN (FORMAT {form})"


def insert_select(table: Table, columns: tuple[str, ...], rows: str, policy: OnConflict) -> str:
    """`INSERT ... SELECT` with the policy on keys that exist.

    A row that is updated becomes the row that an insert would have made: what is not given takes its default.
    Columns of djflow's own bookkeeping stay.
    """
    head = f"INSERT INTO {qualified(table.name)} ({_listed(columns)}) {rows}"
    changed = [a.name for a in table.columns if not a.in_key and not a.is_hidden]
    if policy is OnConflict.ERROR:
        return head
    if policy is OnConflict.UPDATE and changed:
        updates = ", ".join(
            f"{quote(name)} = {f'EXCLUDED.{quote(name)}' if name in columns else 'DEFAULT'}"
            for name in changed
        )
        return f"{head} ON CONFLICT ({_listed(table.primary_key)}) DO UPDATE SET {updates}"
    return f"{head} ON CONFLICT ({_listed(table.primary_key)}) DO NOTHING"


def update_row(table: Table, given: Iterable[str], reset: Iterable[str], key: Iterable[str]) -> str:
    """`UPDATE` of one row by its key. Its parameters are the given values, then those of the key.

    >>> table = Table(TableName("lab", "subject"), "", ())
    >>> update_row(table, given=["name"], reset=["weight"], key=["id"])
    'UPDATE "lab"."subject" SET "name" = $1, "weight" = DEFAULT WHERE "id" = $2 RETURNING true'
    """
    names = list(given)
    values = [f"{quote(name)} = ${place}" for place, name in enumerate(names, start=1)]
    changes = ", ".join([*values, *(f"{quote(name)} = DEFAULT" for name in reset)])
    places = enumerate(key, start=len(names) + 1)
    condition = " AND ".join(f"{quote(name)} = ${place}" for place, name in places)
    return f"UPDATE {qualified(table.name)} SET {changes} WHERE {condition or 'true'} RETURNING true"


# rows that nobody else is to change


def lock_rows(rows: str) -> str:
    """Lock the rows of a table that a plain SELECT of it gives, until the transaction ends; their number.

    >>> lock_rows("SELECT 1 FROM lab.subject")
    'SELECT count(*) FROM (SELECT 1 FROM lab.subject FOR UPDATE) AS locked'
    """
    return f"SELECT count(*) FROM ({rows} FOR UPDATE) AS locked"


def lock_table(name: TableName) -> str:
    """Let others only read a table, until the transaction ends.

    >>> lock_table(TableName("lab", "subject"))
    'LOCK TABLE "lab"."subject" IN SHARE ROW EXCLUSIVE MODE'
    """
    return f"LOCK TABLE {qualified(name)} IN SHARE ROW EXCLUSIVE MODE"


def _listed(columns: Iterable[str]) -> str:
    return ", ".join(map(quote, columns))
