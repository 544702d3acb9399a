"""The catalog of a database in which others drop schemas while it is read."""

from dataclasses import replace
from typing import TYPE_CHECKING

from djflow.backend.assemble import assemble
from djflow.backend.catalog_query import despite_drops, query
from djflow.backend.catalog_rows import CatalogRows, ColumnRow, IndexRow, KeyRow, TableRow
from djflow.relation.database import Database

if TYPE_CHECKING:
    import psycopg


def test_several_tables_may_go_one_after_the_other(
    database: Database, connection: "psycopg.Connection[object]", schema_name: str
) -> None:
    own = database.session.connection
    connection.execute(f"CREATE SCHEMA {schema_name}".encode())
    names = [f"{schema_name}.t{number}" for number in range(5)]
    for name in names:
        connection.execute(f"CREATE TABLE {name} (n int)".encode())

    def read() -> int:
        found = query(
            own, "SELECT relname FROM pg_class WHERE relnamespace = %(s)s::regnamespace", s=schema_name
        )
        if names:
            connection.execute(f"DROP TABLE {names.pop(0)}".encode())
        return sum(
            query(own, f"SELECT count(*) FROM {schema_name}.{table}")[0][0] for (table,) in sorted(found)
        )

    assert despite_drops(own, read) == 0
    assert names == []


def test_a_view_of_tables_that_were_altered_since_can_be_taken_anew(
    database: Database, connection: "psycopg.Connection[object]", schema_name: str
) -> None:
    connection.execute(f"CREATE SCHEMA {schema_name}".encode())
    for kind in ("old", "new"):
        connection.execute(f"CREATE TYPE {schema_name}.{kind} AS ENUM ('a')".encode())
    table = f"{schema_name}.t"
    connection.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, e {schema_name}.old DEFAULT 'a')".encode())
    attempts = 0

    def read() -> str:
        nonlocal attempts
        attempts += 1
        database.query("SELECT 1 FROM pg_class LIMIT 1")  # from now on, this is the view
        if attempts == 1:
            connection.execute(
                f"ALTER TABLE {table} ALTER e DROP DEFAULT, "
                f"ALTER e TYPE {schema_name}.new USING e::text::{schema_name}.new".encode()
            )
            connection.execute(f"DROP TYPE {schema_name}.old".encode())
        [found] = [each for each in database.whole_catalog() if str(each.name) == table]
        return str(found.heading["e"].stored)

    assert database.run_in_transaction(read, isolation="repeatable read") == "enum('a')"
    assert attempts == 2


def test_reading_in_a_transaction_keeps_nobody_from_dropping_tables(
    database: Database, connection: "psycopg.Connection[object]", schema_name: str
) -> None:
    connection.execute(f"CREATE SCHEMA {schema_name}".encode())
    table = f'{schema_name}."~lineage"'
    connection.execute(f"CREATE TABLE {table} (table_name text, attribute_name text, lineage text)".encode())

    with database.transaction:
        database.whole_catalog()
        connection.execute(b"SET lock_timeout = '5s'")
        connection.execute(f"DROP TABLE {table}".encode())


def test_keys_and_indexes_of_columns_that_came_meanwhile_are_left_out() -> None:
    rows = CatalogRows(
        tables=(TableRow(1, "lab", "subject", ""),),
        columns=(ColumnRow(1, 1, "subject", True, 23, "integer", None, ""),),
        keys=(KeyRow(1, (1,), None, ()), KeyRow(1, (2,), 1, (1,))),
        indexes=(IndexRow(1, False, (1, 0), ("", "lower(x)")), IndexRow(1, True, (1, 2), ("", ""))),
    )
    [table] = assemble(rows).tables
    assert table.foreign_keys == ()
    assert [index.items for index in table.indexes] == [("subject", "(lower(x))")]
    [altered] = assemble(replace(rows, keys=(KeyRow(1, (1, 2), None, ()),))).tables
    assert altered.primary_key == ()
