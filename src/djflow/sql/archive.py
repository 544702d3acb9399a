"""Statements that archives of rows need."""

from collections.abc import Iterable

from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.staging import staging_name

READ_ONLY = "SET TRANSACTION READ ONLY"
PLAIN_INTERVALS = "SET LOCAL intervalstyle = 'postgres'"


def lock_for_reading(tables: Iterable[TableName]) -> str:
    """Keep tables from being altered, truncated or dropped until the transaction ends.

    >>> lock_for_reading([TableName("lab", "subject")])
    'LOCK TABLE "lab"."subject" IN ACCESS SHARE MODE'
    """
    return f"LOCK TABLE {', '.join(map(qualified, tables))} IN ACCESS SHARE MODE"


def count_uneven_arrays(rows: str, names: Iterable[str]) -> str:
    """How many of some rows have an array that is no plain list: of several dimensions, or not from 1 on.

    >>> count_uneven_arrays("SELECT a", ["a"])
    'SELECT count(*) FROM (SELECT a) AS r WHERE array_ndims(r."a") > 1 OR array_lower(r."a", 1) <> 1'
    """
    columns = [f"r.{quote(name)}" for name in names]
    uneven = " OR ".join(f"array_ndims({each}) > 1 OR array_lower({each}, 1) <> 1" for each in columns)
    return f"SELECT count(*) FROM ({rows}) AS r WHERE {uneven}"


def drop_staged_duplicates(table: Table) -> str:
    """Remove the rows of the temporary table whose keys the table has; the result is how many."""
    same = " AND ".join(f"s.{quote(name)} = t.{quote(name)}" for name in table.primary_key)
    return (
        f"WITH gone AS (DELETE FROM {qualified(staging_name(table))} AS s USING {qualified(table.name)} AS t "
        f"WHERE {same} RETURNING 1) SELECT count(*) FROM gone"
    )


def insert_staged(table: Table, columns: Iterable[str]) -> str:
    """Bring the rows of the temporary table into the table, counted numbers as they are."""
    listed = ", ".join(map(quote, columns))
    return (
        f"INSERT INTO {qualified(table.name)} ({listed}) OVERRIDING SYSTEM VALUE "
        f"SELECT {listed} FROM {qualified(staging_name(table))}"
    )


def select_generated(table: Table) -> str:
    """The names of the columns that the server computes from others, and takes no values for."""
    return (
        "SELECT attname::text FROM pg_catalog.pg_attribute "
        f"WHERE attrelid = {literal(qualified(table.name))}::regclass "
        "AND attgenerated <> '' AND NOT attisdropped"
    )


def advance_counter(table: Table, column: str) -> str:
    """Have the counter of a column go on behind the largest number in it.

    >>> print(advance_counter(Table(TableName("lab", "subject"), "", ()), "id"))
    SELECT setval(s, greatest((SELECT coalesce(max("id"), 0) + 1 FROM "lab"."subject"), nextval(s)), false)
    FROM pg_get_serial_sequence('"lab"."subject"', 'id') AS s
    """
    name, own = qualified(table.name), quote(column)
    largest = f"(SELECT coalesce(max({own}), 0) + 1 FROM {name})"
    return (
        f"SELECT setval(s, greatest({largest}, nextval(s)), false)\n"
        f"FROM pg_get_serial_sequence({literal(name)}, {literal(column)}) AS s"
    )
