"""Rows that wait in a temporary table until those that are there already are known."""

from collections.abc import Iterable, Sequence
from hashlib import md5
from typing import Final

import pyarrow as pa

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType, CoreType, EnumType, NativeType, arrow_type
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.rows import OnConflict, insert_select

_SHOWN: Final = 1000  # characters of a value that an error shows


def staging_name(table: Table) -> TableName:
    """The temporary table for rows of a table as it is now."""
    # Also by its columns: a transaction may alter the table and go on.
    told = md5(repr((table.name, table.columns)).encode(), usedforsecurity=False).hexdigest()
    return TableName("pg_temp", f"djflow_staging_{told[:16]}")


def select_staging(table: Table) -> str:
    """Whether the transaction has the temporary table already."""
    return f"SELECT to_regclass({literal(_staging(table))}) IS NOT NULL"


def create_staging(table: Table) -> str:
    """A temporary table like the target; it goes with the transaction at the latest."""
    name = quote(staging_name(table).table)
    return f"CREATE TEMPORARY TABLE {name} (LIKE {qualified(table.name)} INCLUDING DEFAULTS) ON COMMIT DROP"


def allow_nulls(table: Table) -> str:
    """Let the temporary table take any null: the target refuses it under its own name, or counts a number."""
    columns = (quote(column.name) for column in table.columns if not column.nullable)
    changes = ", ".join(f"ALTER COLUMN {name} DROP NOT NULL" for name in columns)
    return f"ALTER TABLE {_staging(table)} {changes}"


def copy_into_staging(table: Table, columns: Sequence[str], form: str = "binary") -> str:
    """`COPY` into the temporary table."""
    return f"COPY {_staging(table)} ({_listed(columns)}) FROM STDIN (FORMAT {form})"


def select_into_staging(table: Table, columns: Sequence[str], rows: str) -> str:
    """`INSERT ... SELECT` into the temporary table."""
    return f"INSERT INTO {_staging(table)} ({_listed(columns)}) {rows}"


def empty_staging(table: Table) -> str:
    """Remove the rows of the temporary table."""
    return f"DELETE FROM {_staging(table)}"


def drop_staging(table: Table) -> str:
    """Remove the temporary table."""
    return f"DROP TABLE {_staging(table)}"


def merge_staging(table: Table, columns: tuple[str, ...], policy: OnConflict) -> str:
    """Move rows from the temporary table; of several with one key the first, or the last when updating."""
    # With the whole key: a part of it that was not given got its default, a number perhaps, with the row.
    names = tuple(dict.fromkeys([*table.primary_key, *columns]))
    key = _listed(table.primary_key)
    latest = " DESC" if policy is OnConflict.UPDATE else ""
    rows = f"SELECT DISTINCT ON ({key}) {_listed(names)} FROM {_staging(table)} ORDER BY {key}, ctid{latest}"
    return insert_select(table, names, rows, policy)


# what differs between rows that are there and rows that are given


def select_differences(table: Table, compared: Sequence[Attribute], key: Iterable[str], limit: int) -> str:
    """The values in which rows of the temporary table differ from those with the same key, in given order.

    A row of the result is the key, by the fragments `key` over `t`, then column, existing and given value.
    """
    each = ", ".join(_difference(a) for a in compared)
    return (
        f"SELECT {', '.join([*key, 'd.name', 'd.existing', 'd.given'])} FROM {_matched(table)} "
        f"CROSS JOIN LATERAL (VALUES {each}) AS d(name, existing, given, differs) "
        f"WHERE ({' OR '.join(_differs(a) for a in compared)}) AND d.differs ORDER BY s.ctid LIMIT {limit}"
    )


def select_references(table: Table, attribute: Attribute, key: Iterable[str]) -> str:
    """The key, and the existing and the given reference to an object, where these are not the same."""
    name = quote(attribute.name)
    return (
        f"SELECT {', '.join([*key, f't.{name}::text', f's.{name}::text'])} FROM {_matched(table)} "
        f"WHERE {_differs(attribute)} ORDER BY s.ctid"
    )


def select_absent(table: Table) -> str:
    """A row if any key of the temporary table is not in the target."""
    return (
        f"SELECT 1 FROM {_staging(table)} AS s "
        f"WHERE NOT EXISTS (SELECT FROM {qualified(table.name)} AS t WHERE {_same_key(table)}) LIMIT 1"
    )


def _matched(table: Table) -> str:
    return f"{_staging(table)} AS s JOIN {qualified(table.name)} AS t ON {_same_key(table)}"


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


def _staging(table: Table) -> str:
    return qualified(staging_name(table))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(quote, names))
