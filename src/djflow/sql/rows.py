"""Statements that put rows into tables."""

from enum import Enum
from typing import Final

from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.identifiers import qualified, quote

_STAGING: Final = 'pg_temp."djflow_staging"'


class OnDuplicate(Enum):
    """What happens to a row whose primary key exists."""

    FAIL = "fail"
    SKIP = "skip"
    REPLACE = "replace"


def copy_into(name: TableName, columns: tuple[str, ...], form: str = "binary") -> str:
    """`COPY` into a table, in binary form or as CSV.

    >>> copy_into(TableName("lab", "subject"), ("id",))
    'COPY "lab"."subject" ("id") FROM STDIN (FORMAT binary)'
    """
    return f"COPY {qualified(name)} ({_listed(columns)}) FROM STDIN (FORMAT {form})"


def create_staging(name: TableName) -> str:
    """A temporary table like the target; it goes with the transaction at the latest."""
    return (
        f'CREATE TEMPORARY TABLE "djflow_staging" (LIKE {qualified(name)} INCLUDING DEFAULTS) ON COMMIT DROP'
    )


def copy_into_staging(columns: tuple[str, ...], form: str = "binary") -> str:
    """`COPY` into the temporary table."""
    return f"COPY {_STAGING} ({_listed(columns)}) FROM STDIN (FORMAT {form})"


def drop_staging() -> str:
    """Remove the temporary table."""
    return f"DROP TABLE {_STAGING}"


def merge_staging(table: Table, columns: tuple[str, ...], policy: OnDuplicate) -> str:
    """Move rows from the temporary table; of several with one key, the last wins when replacing."""
    rows = f"SELECT {_listed(columns)} FROM {_STAGING}"
    if policy is OnDuplicate.REPLACE:
        key = _listed(table.primary_key)
        rows = f"SELECT DISTINCT ON ({key}) {_listed(columns)} FROM {_STAGING} ORDER BY {key}, ctid DESC"
    return insert_select(table, columns, rows, policy)


def insert_select(table: Table, columns: tuple[str, ...], rows: str, policy: OnDuplicate) -> str:
    """`INSERT ... SELECT` with the policy on duplicates."""
    head = f"INSERT INTO {qualified(table.name)} ({_listed(columns)}) {rows}"
    match policy:
        case OnDuplicate.FAIL:
            return head
        case OnDuplicate.SKIP:
            return f"{head} ON CONFLICT ({_listed(table.primary_key)}) DO NOTHING"
        case OnDuplicate.REPLACE:
            changed = [name for name in columns if name not in table.primary_key]
            if not changed:
                return f"{head} ON CONFLICT ({_listed(table.primary_key)}) DO NOTHING"
            updates = ", ".join(f"{quote(name)} = EXCLUDED.{quote(name)}" for name in changed)
            return f"{head} ON CONFLICT ({_listed(table.primary_key)}) DO UPDATE SET {updates}"


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(quote(name) for name in columns)
