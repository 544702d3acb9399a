"""Statements that put rows into tables."""

from collections.abc import Iterable, Sequence
from enum import Enum
from typing import Final

import pyarrow as pa

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType, CoreType, EnumType, NativeType, arrow_type
from djflow.sql.identifiers import literal, qualified, quote

_STAGING: Final = 'pg_temp."djflow_staging"'
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


# rows that wait in a temporary table until those that are there already are known


def create_staging(name: TableName) -> str:
    """A temporary table like the target; it goes with the transaction at the latest."""
    return (
        f'CREATE TEMPORARY TABLE "djflow_staging" (LIKE {qualified(name)} INCLUDING DEFAULTS) ON COMMIT DROP'
    )


def allow_nulls(table: Table) -> str:
    """Let the temporary table take any null: the target refuses it under its own name, or counts a number."""
    columns = (quote(column.name) for column in table.columns if not column.nullable)
    return f"ALTER TABLE {_STAGING} " + ", ".join(f"ALTER COLUMN {name} DROP NOT NULL" for name in columns)


def copy_into_staging(columns: tuple[str, ...], form: str = "binary") -> str:
    """`COPY` into the temporary table."""
    return f"COPY {_STAGING} ({_listed(columns)}) FROM STDIN (FORMAT {form})"


def select_into_staging(columns: tuple[str, ...], rows: str) -> str:
    """`INSERT ... SELECT` into the temporary table."""
    return f"INSERT INTO {_STAGING} ({_listed(columns)}) {rows}"


def drop_staging() -> str:
    """Remove the temporary table."""
    return f"DROP TABLE {_STAGING}"


def merge_staging(table: Table, columns: tuple[str, ...], policy: OnConflict) -> str:
    """Move rows from the temporary table; of several with one key the first, or the last when updating."""
    # With the whole key: a part of it that was not given got its default, a number perhaps, with the row.
    names = tuple(dict.fromkeys([*table.primary_key, *columns]))
    key = _listed(table.primary_key)
    latest = " DESC" if policy is OnConflict.UPDATE else ""
    rows = f"SELECT DISTINCT ON ({key}) {_listed(names)} FROM {_STAGING} ORDER BY {key}, ctid{latest}"
    return insert_select(table, names, rows, policy)


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


# what differs between rows that are there and rows that are given


def select_differences(table: Table, compared: Sequence[Attribute], key: Iterable[str], limit: int) -> str:
    """The values in which rows of the temporary table differ from those with the same key, in given order.

    A row of the result is the key, by the fragments `key` over `t`, then column, existing and given value.
    """
    each = ", ".join(_difference(a) for a in compared)
    return (
        f"SELECT {_comma([*key, 'd.name', 'd.existing', 'd.given'])} FROM {_matched(table)} "
        f"CROSS JOIN LATERAL (VALUES {each}) AS d(name, existing, given, differs) "
        f"WHERE ({' OR '.join(_differs(a) for a in compared)}) AND d.differs ORDER BY s.ctid LIMIT {limit}"
    )


def select_references(table: Table, attribute: Attribute, key: Iterable[str]) -> str:
    """The key, and the existing and the given reference to an object, where these are not the same."""
    name = quote(attribute.name)
    return (
        f"SELECT {_comma([*key, f't.{name}::text', f's.{name}::text'])} FROM {_matched(table)} "
        f"WHERE {_differs(attribute)} ORDER BY s.ctid"
    )


def select_absent(table: Table) -> str:
    """A row if any key of the temporary table is not in the target."""
    return (
        f"SELECT 1 FROM {_STAGING} AS s "
        f"WHERE NOT EXISTS (SELECT FROM {qualified(table.name)} AS t WHERE {_same_key(table)}) LIMIT 1"
    )


def _matched(table: Table) -> str:
    return f"{_STAGING} AS s JOIN {qualified(table.name)} AS t ON {_same_key(table)}"


def _same_key(table: Table) -> str:
    return " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in table.primary_key)


def _difference(attribute: Attribute) -> str:
    shown = (_shown(attribute, alias) for alias in "ts")
    return f"({literal(attribute.name)}, {', '.join(shown)}, {_differs(attribute)})"


def _differs(attribute: Attribute) -> str:
    return f"{_comparable(attribute, 't')} IS DISTINCT FROM {_comparable(attribute, 's')}"


def _comparable(attribute: Attribute, alias: str) -> str:
    """A fragment that is equal for equal values, whatever the type knows of equality."""
    fragment = f"{alias}.{quote(attribute.name)}"
    match attribute.stored:
        case CoreType("json") if isinstance(attribute.type, CodecType):
            # A reference: contents with one hash are the same, whatever else is said of them.
            return f"coalesce({fragment}->>'hash', {fragment}::text)"
        case NativeType("json" | "json[]" as sql):
            return f"{fragment}::{sql.replace('json', 'jsonb')}"
        case NativeType(sql) if not _has_equality(sql.removesuffix("[]")):
            return f"{fragment}::text"
        case _:
            return fragment


def _has_equality(sql: str) -> bool:
    base = sql.partition("(")[0]
    known = base in ("text", "character varying", "character", "uuid", "jsonb", "numeric")
    return known or arrow_type(NativeType(sql)) != pa.string()


def _shown(attribute: Attribute, alias: str) -> str:
    fragment = f"{alias}.{quote(attribute.name)}"
    if attribute.stored in (CoreType("bytes"), NativeType("bytea")):
        return f"octet_length({fragment}) || ' bytes, MD5 ' || md5({fragment})"
    if isinstance(attribute.stored, EnumType):
        return f"{fragment}::text"
    return f"left({fragment}::text, {_SHOWN})"


# one row


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
    return _comma(quote(name) for name in columns)


def _comma(fragments: Iterable[str]) -> str:
    return ", ".join(fragments)
