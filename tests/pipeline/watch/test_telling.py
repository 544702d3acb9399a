"""What a watcher is told of inserts."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import djflow as dj
from djflow.pipeline.watch import Change, Watch
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.sql.watch import MOST_KEYS, channel, layout, told_keys
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    import psycopg

Traces = Callable[[], tuple[int, int]]
SOON = 20.0  # seconds within which what was committed is told; it is told at once
NEVER = 0.1  # seconds to wait for what must not come


def watch(*tables: Any) -> Watch:
    return Watch(tables[0].connection, [table.table_model for table in tables])


def keys(changes: list[Change]) -> pl.DataFrame:
    [change] = changes
    assert change.keys is not None
    return change.keys


def test_a_committed_insert_is_told_with_its_keys(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        assert traces() == (1, 1)
        assert watching.changes(0) == []
        subject.insert([(1, "ann", 2.5), (2, 'b"\\\n', None)])
        [change] = watching.changes(SOON)
        assert change.table == subject.table_model.name
        assert change.keys is not None
        assert_frame_equal(change.keys, subject.proj().to_polars(), check_row_order=False)
        assert watching.changes(NEVER) == []
    assert traces() == (0, 0)


def test_a_transaction_is_told_of_when_it_has_committed(subject: Any, database: Database) -> None:
    with watch(subject) as watching:
        with database.transaction:
            subject.insert1((1, "ann", None))
            subject.insert1((2, "ben", None))
            assert watching.changes(NEVER) == []
        assert keys(watching.changes(SOON))["subject"].to_list() == [1, 2]


def test_what_is_undone_or_inserts_nothing_is_not_told(subject: Any, database: Database) -> None:
    with watch(subject) as watching:
        database.start_transaction()
        subject.insert1((1, "ann", None))
        database.cancel_transaction()
        subject.insert([])
        name = subject.full_table_name
        database.query(f"INSERT INTO {name} SELECT * FROM {name}")
        assert watching.changes(NEVER) == []


def test_each_way_of_inserting_is_told(subject: Any, connection: "psycopg.Connection[Any]") -> None:
    name = subject.full_table_name
    with watch(subject) as watching:
        with connection.cursor().copy(f"COPY {name} FROM STDIN".encode()) as copy:
            copy.write(b"1\tann\t\\N\n2\tben\t\\N\n")
        assert keys(watching.changes(SOON))["subject"].to_list() == [1, 2]
        connection.execute(f"INSERT INTO {name} SELECT subject + 2, name FROM {name}".encode())
        assert keys(watching.changes(SOON))["subject"].to_list() == [3, 4]
        connection.execute(
            f"INSERT INTO {name} VALUES (4, 'ben'), (5, 'cleo') ON CONFLICT DO NOTHING".encode()
        )
        assert keys(watching.changes(SOON))["subject"].to_list() == [5]


def test_many_rows_are_told_without_their_keys(subject: Any) -> None:
    with watch(subject) as watching:
        subject.insert({"subject": n, "name": "x"} for n in range(MOST_KEYS + 1))
        assert watching.changes(SOON) == [Change(subject.table_model.name, None)]


def test_long_keys_are_told_as_long_as_they_fit(subject: Any) -> None:
    with watch(subject) as watching:
        subject.insert({"subject": n, "name": "é" * 10} for n in range(200))
        assert keys(watching.changes(SOON)).height == 200
        subject.insert({"subject": n, "name": "é" * 20} for n in range(1000, 1300))
        assert watching.changes(SOON) == [Change(subject.table_model.name, None)]


def test_what_came_meanwhile_is_one_change_a_table(subject: Any, schema: Schema) -> None:
    @schema
    class Other(dj.Manual):
        definition = "other : int64"

    other: Any = Other()
    with watch(subject, other) as watching:
        for n in range(50):
            subject.insert1((n, "x", None))
        other.insert1((7,))
        subject.delete(prompt=False)
        subject.insert1((7, "x", None))
        told: dict[str, list[int]] = {}
        while sum(map(len, told.values())) < 51 or "other" not in told:
            for change in watching.changes(SOON):
                assert change.keys is not None
                told.setdefault(change.table.table, []).extend(change.keys.to_series().to_list())
        assert set(told["subject"]) == set(range(50))
        assert told["other"] == [7]


@pytest.mark.filterwarnings("ignore::djflow.errors.NativeTypeWarning")
def test_keys_have_exactly_the_types_and_values_of_the_table(
    schema: Schema, connection: "psycopg.Connection[Any]"
) -> None:
    @schema
    class Odd(dj.Manual):
        definition = """
        a : char(4)
        b : enum('x', 'it''s')
        c : uuid
        d : decimal(38,3)
        e : datetime(6)
        f : float32
        g : bytes
        h : bool
        i : date
        j : time
        k : timestamptz
        l : numeric
        m : float64
        n : varchar(40)
        o : int64
        p : int8
        """

    odd: Any = Odd()
    row = {
        "a": "ab",
        "b": "it's",
        "c": UUID("d2d1455c-7a92-4409-9ddb-e158b530b1e8"),
        "d": Decimal("12345678901234567890123456789012345.125"),
        "e": dt.datetime(2024, 1, 2, 3, 4, 5, 678901),
        "f": 0.1,
        "g": bytes(range(256)),
        "h": True,
        "i": dt.date(1, 2, 3),
        "j": dt.time(1, 2, 3, 4),
        "k": dt.datetime(2024, 6, 2, 1, 2, 3, 4, tzinfo=dt.UTC),
        "l": "1.50",
        "m": 0.1 + 0.2,
        "n": "日本 \\ \" ' \t",
        "o": -(2**63),
        "p": -128,
    }
    more = {**row, "f": float("nan"), "m": float("-inf"), "d": Decimal(-1), "o": 2**63 - 1}
    third = {**row, "f": 1.401298464324817e-45, "m": 5e-324, "h": False, "g": b"", "n": ""}
    with watch(odd) as watching:
        odd.insert([row, more, third])
        first = keys(watching.changes(SOON))
        found = odd.proj().to_polars()
        assert_frame_equal(first, found, check_row_order=False, check_exact=True)
        for setting in (
            "datestyle = 'German'",
            "timezone = 'Asia/Kolkata'",
            "extra_float_digits = -15",
            "bytea_output = 'escape'",
            "search_path = ''",
            "standard_conforming_strings = off",
        ):
            connection.execute(f"SET {setting}".encode())
        connection.execute(
            f"WITH gone AS (DELETE FROM {odd.full_table_name} RETURNING *)"
            f" INSERT INTO {odd.full_table_name} SELECT a, b, c, d + 1, e, f, g, h, i, j, k, l, m, n, o, p"
            " FROM gone".encode()
        )
        assert_frame_equal(
            keys(watching.changes(SOON)), odd.proj().to_polars(), check_row_order=False, check_exact=True
        )


def test_values_that_arrow_does_not_hold_are_told_without_keys(
    schema: Schema, connection: "psycopg.Connection[Any]"
) -> None:
    @schema
    class Era(dj.Manual):
        definition = "day : date"

    era: Any = Era()
    with watch(era) as watching:
        connection.execute(f"INSERT INTO {era.full_table_name} VALUES ('0044-03-15 BC')".encode())
        assert watching.changes(SOON) == [Change(era.table_model.name, None)]


def test_a_table_of_one_row_is_told_without_keys(schema: Schema) -> None:
    @schema
    class Setting(dj.Manual):
        definition = """
        ---
        gain : float64
        """

    setting: Any = Setting()
    with watch(setting) as watching:
        setting.insert1({"gain": 2.0})
        assert watching.changes(SOON) == [Change(setting.table_model.name, None)]


@pytest.mark.parametrize("column", ['a "b', "ключ" * 7, "told", "became", "k0", "message", "tg_relid", "new"])
def test_names_may_be_anything(
    database: Database, schema_name: str, connection: "psycopg.Connection[Any]", column: str
) -> None:
    connection.execute(f"CREATE SCHEMA {quote(schema_name)}".encode())
    table = 'Tab"le ' + "ü" * 28
    name = f"{quote(schema_name)}.{quote(table)}"
    connection.execute(f"CREATE TABLE {name} ({quote(column)} integer PRIMARY KEY, k1 text)".encode())
    catalog = database.catalog([schema_name])
    [model] = [each for each in catalog.tables if each.name.schema == schema_name]
    with Watch(database, [model]) as watching:
        connection.execute(f"INSERT INTO {name} VALUES (1, 'x'), (2, 'y')".encode())
        assert keys(watching.changes(SOON)).to_dict(as_series=False) == {column: [1, 2]}


def test_a_renamed_key_column_is_no_matter_to_who_inserts(
    subject: Any, connection: "psycopg.Connection[Any]"
) -> None:
    name = subject.full_table_name
    with watch(subject) as watching:
        connection.execute(f"ALTER TABLE {name} RENAME COLUMN name TO surname".encode())
        connection.execute(f"INSERT INTO {name} VALUES (1, 'ann')".encode())
        assert watching.changes(SOON) == [Change(subject.table_model.name, None)]


def test_a_partitioned_table_is_told_of(
    database: Database, schema_name: str, connection: "psycopg.Connection[Any]"
) -> None:
    connection.execute(f"CREATE SCHEMA {schema_name}".encode())
    name = f"{schema_name}.halves"
    connection.execute(f"CREATE TABLE {name} (n integer PRIMARY KEY) PARTITION BY RANGE (n)".encode())
    for place, (low, high) in enumerate(((0, 10), (10, 20))):
        connection.execute(
            f"CREATE TABLE {name}_{place} PARTITION OF {name} FOR VALUES FROM ({low}) TO ({high})".encode()
        )
    [model] = [each for each in database.catalog([schema_name]).tables if each.name.table == "halves"]
    with Watch(database, [model]) as watching:
        connection.execute(f"INSERT INTO {name} VALUES (3), (13)".encode())
        assert keys(watching.changes(SOON))["n"].to_list() == [3, 13]
        connection.execute(f"INSERT INTO {name}_1 VALUES (14)".encode())
        connection.execute(f"ALTER TABLE {name} DETACH PARTITION {name}_1".encode())
        connection.execute(f"INSERT INTO {name}_1 VALUES (15)".encode())


@pytest.mark.parametrize("payload", ["", "nonsense", "[]", "17", "[1.5]", '["x"]', "{}", "[0, [1]]"])
def test_notifications_without_sense_are_passed_over(
    subject: Any, connection: "psycopg.Connection[Any]", payload: str
) -> None:
    with watch(subject) as watching:
        connection.execute("SELECT pg_notify(%s, %s)", [channel(subject.table_model.name.schema), payload])
        assert watching.changes(NEVER) == []


@pytest.mark.parametrize(
    "rest", ["", "?", ", [1]", ", 1, 2", "?, 1, 2", '?, ["x"], ["y"]', "?, [1], [1, 2]", "?, [], []"]
)
def test_keys_without_sense_are_told_as_none(
    subject: Any, connection: "psycopg.Connection[Any]", rest: str
) -> None:
    name, rest = subject.full_table_name, rest.replace("?", f', "{layout(told_keys(subject.table_model))}"')
    with watch(subject) as watching:
        connection.execute(
            "SELECT pg_notify(%s, '[' || %s::regclass::oid || %s || ']')",
            [channel(subject.table_model.name.schema), name, rest],
        )
        assert watching.changes(SOON) == [Change(subject.table_model.name, None)]
