"""Both ways of reading, ADBC for many rows and psycopg for few, give equal batches of the exact types."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from djflow.engine.compile import compile_plan
from djflow.engine.execute import schema_of, stream
from djflow.model.names import TableName
from djflow.model.table import Attribute, Heading, Table
from djflow.model.types import CoreType, EnumType, NativeType, StoredType, sql_type
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.relation.database import Database
from djflow.sql.identifiers import qualified, quote

UTC = dt.UTC
INT32 = CoreType("int32")
# A type, what PostgreSQL reads, and the values that come back.
CASES: list[tuple[StoredType, dict[str, Any]]] = [
    (CoreType("int8"), {"-128": -128, "127": 127}),
    (CoreType("int16"), {"-32768": -32768, "32767": 32767}),
    (INT32, {"-2147483648": -(2**31), "2147483647": 2**31 - 1}),
    (CoreType("int64"), {"-9223372036854775808": -(2**63), "9223372036854775807": 2**63 - 1}),
    (CoreType("float32"), {"0.1": 0.10000000149011612, "-0": -0.0, "Infinity": float("inf")}),
    (CoreType("float64"), {"0.1": 0.1, "1e308": 1e308, "-Infinity": float("-inf")}),
    (CoreType("decimal", (8, 3)), {"1.5": Decimal("1.500"), "-99999.999": Decimal("-99999.999")}),
    (CoreType("decimal", (38, 0)), {"9" * 38: Decimal("9" * 38), "-1": Decimal(-1)}),
    (CoreType("char", (5,)), {"ab": "ab", "": "", "é中 x": "é中 x"}),
    (CoreType("varchar", (20,)), {"": "", " a ": " a ", "it''s \\ \"%\" 😀": 'it\'s \\ "%" 😀'}),
    (CoreType("bool"), {"true": True, "false": False}),
    (CoreType("date"), {"2024-02-29": dt.date(2024, 2, 29), "0001-01-01": dt.date(1, 1, 1)}),
    (CoreType("datetime"), {"1999-12-31 23:59:59.999999": dt.datetime(1999, 12, 31, 23, 59, 59, 999999)}),
    (CoreType("datetime", (3,)), {"2024-01-01 00:00:00.1234": dt.datetime(2024, 1, 1, 0, 0, 0, 123000)}),
    (CoreType("bytes"), {"": b"", "\\x00ff27": b"\x00\xff'"}),
    (CoreType("json"), {'{"b": [1, null, "é"], "a": 1.50}': '{"a": 1.50, "b": [1, null, "é"]}', "3": "3"}),
    (CoreType("uuid"), {"12345678-1234-5678-1234-56781234567A": "12345678-1234-5678-1234-56781234567a"}),
    (EnumType(("M", "it's", "b\\s", "é")), {"M": "M", "it''s": "it's", "b\\s": "b\\s", "é": "é"}),
    (NativeType("smallint"), {"-1": -1}),
    (NativeType("integer"), {"7": 7}),
    (NativeType("bigint"), {"9007199254740993": 2**53 + 1}),
    (NativeType("real"), {"1.5": 1.5}),
    (NativeType("double precision"), {"1e-300": 1e-300}),
    (NativeType("boolean"), {"t": True}),
    (NativeType("text"), {"a\nb\tc": "a\nb\tc"}),
    (NativeType("character varying"), {"x": "x"}),
    (NativeType("character varying(4)"), {"abcd": "abcd"}),
    (NativeType("character(4)"), {"ab": "ab"}),
    (NativeType("bytea"), {"\\xdeadbeef": b"\xde\xad\xbe\xef"}),
    (NativeType("date"), {"2024-01-31": dt.date(2024, 1, 31)}),
    (NativeType("time without time zone"), {"23:59:59.999999": dt.time(23, 59, 59, 999999)}),
    (NativeType("time(0) without time zone"), {"12:30:00": dt.time(12, 30)}),
    (NativeType("timestamp without time zone"), {"2024-01-31 01:02:03": dt.datetime(2024, 1, 31, 1, 2, 3)}),
    (
        NativeType("timestamp with time zone"),
        {"2024-06-30 23:00:00+02": dt.datetime(2024, 6, 30, 21, tzinfo=UTC)},
    ),
    (
        NativeType("timestamp(3) with time zone"),
        {"2024-06-30 23:00:00.5-08": dt.datetime(2024, 7, 1, 7, 0, 0, 500000, tzinfo=UTC)},
    ),
    (
        NativeType("interval"),
        {"1 day 02:03:04.5": dt.timedelta(1, 7384, 500000), "-1 us": -dt.timedelta(0, 0, 1)},
    ),
    (NativeType("uuid"), {"00000000-0000-0000-0000-000000000000": "00000000-0000-0000-0000-000000000000"}),
    (NativeType("json"), {'{"a":  1}': '{"a":  1}'}),
    (NativeType("jsonb"), {'{"a":  1}': '{"a": 1}'}),
    (NativeType("numeric"), {"1.50": "1.50", "NaN": "NaN", "1e40": "1" + "0" * 40}),
    (NativeType("numeric(8,3)"), {"1.5": Decimal("1.500")}),
    (NativeType("inet"), {"10.0.0.1/8": "10.0.0.1/8"}),
    (NativeType("int4range"), {"[1,5)": "[1,5)"}),
    (NativeType("bit(3)"), {"101": "101"}),
    (NativeType("smallint[]"), {"{1,NULL,-3}": [1, None, -3], "{}": []}),
    (NativeType("integer[]"), {"{1,2}": [1, 2]}),
    (NativeType("bigint[]"), {"{9007199254740993}": [2**53 + 1]}),
    (NativeType("real[]"), {"{0.5,NULL}": [0.5, None]}),
    (NativeType("double precision[]"), {"{0.1,Infinity}": [0.1, float("inf")]}),
    (NativeType("boolean[]"), {"{t,f,NULL}": [True, False, None]}),
    (NativeType("text[]"), {'{"a,b","\\"q\\"",NULL,"NULL",""}': ["a,b", '"q"', None, "NULL", ""]}),
    (NativeType("bytea[]"), {'{"\\\\x00ff"}': [b"\x00\xff"]}),
    (NativeType("date[]"), {"{2024-02-29}": [dt.date(2024, 2, 29)]}),
    (NativeType("time without time zone[]"), {"{12:30:00.5}": [dt.time(12, 30, 0, 500000)]}),
    (NativeType("timestamp without time zone[]"), {'{"2024-01-01 00:00"}': [dt.datetime(2024, 1, 1)]}),
    (
        NativeType("timestamp with time zone[]"),
        {'{"2024-01-01 00:00+01"}': [dt.datetime(2023, 12, 31, 23, tzinfo=UTC)]},
    ),
    (NativeType("character varying(20)[]"), {"{a,NULL}": ["a", None]}),
    (
        NativeType("uuid[]"),
        {"{00000000-0000-0000-0000-000000000000}": ["00000000-0000-0000-0000-000000000000"]},
    ),
    (NativeType("numeric(8,3)[]"), {"{1.5,NULL}": [Decimal("1.500"), None]}),
    (NativeType("interval[]"), {'{"1 day",NULL}': [dt.timedelta(1), None]}),
    (NativeType("jsonb[]"), {'{"{\\"a\\": 1}",NULL}': ['{"a": 1}', None]}),
]


def table_of(schema: str, stored: StoredType) -> Table:
    key = Attribute("id", INT32, INT32, in_key=True)
    return Table(TableName(schema, "t"), "", (key, Attribute("v", stored, stored, nullable=True)))


def create(database: Database, table: Table, texts: list[str]) -> None:
    """The table with these values in order, a null, and one more row of the first value."""
    run = database.session.execute
    schema, stored = quote(table.name.schema), table.columns[1].stored
    run(f"CREATE SCHEMA {schema}")
    column = f"{schema}.kind"
    if isinstance(stored, EnumType):
        labels = ", ".join("'" + label.replace("'", "''") + "'" for label in stored.labels)
        run(f"CREATE TYPE {column} AS ENUM ({labels})")
    else:
        column = sql_type(stored)
    name = qualified(table.name)
    run(f"CREATE TABLE {name} (id integer PRIMARY KEY, v {column})")
    values = [f"'{text}'" for text in texts] + ["NULL"] + [f"'{texts[0]}'" for _ in texts[:1]]
    rows = ", ".join(f"({i}, {value}::{column})" for i, value in enumerate(values))
    run(f"INSERT INTO {name} VALUES {rows}")


def read(database: Database, plan: Node, *, small: bool) -> pa.Table:
    compiled = replace(compile_plan(plan), is_small=small)
    batches = list(stream(database.session, compiled))
    assert batches
    table = pa.Table.from_batches(batches)
    table.validate(full=True)
    return table


@pytest.fixture
def reader(database: Database) -> Iterator[Database]:
    """A database whose ADBC driver is already connected, before the test's types exist."""
    list(database.session.read_bulk("SELECT 1 AS n", ()))
    yield database
    database.close()


@pytest.mark.parametrize(("stored", "cases"), CASES, ids=[str(stored) for stored, _ in CASES])
def test_both_readers_give_the_same_exact_values(
    reader: Database, schema_name: str, stored: StoredType, cases: dict[str, Any]
) -> None:
    table = table_of(schema_name, stored)
    create(reader, table, list(cases))
    plan = analyze.top(Scan(table))
    bulk, small = read(reader, plan, small=False), read(reader, plan, small=True)
    first, *rest = cases.values()
    assert small.column("v").to_pylist() == [first, *rest, None, first]
    assert bulk.column("v").to_pylist() == small.column("v").to_pylist()
    assert bulk.schema.equals(schema_of(plan.heading))
    assert bulk.equals(small)


@pytest.mark.parametrize(("stored", "cases"), CASES, ids=[str(stored) for stored, _ in CASES])
def test_an_empty_result_has_the_types_of_a_full_one(
    reader: Database, schema_name: str, stored: StoredType, cases: dict[str, Any]
) -> None:
    table = table_of(schema_name, stored)
    create(reader, table, list(cases))
    plan = analyze.restrict(Scan(table), analyze.equalities({"id": -1}, table.heading))
    nulls = analyze.restrict(Scan(table), analyze.equalities({"v": None}, table.heading))
    for small in (False, True):
        empty = read(reader, plan, small=small)
        assert empty.num_rows == 0
        assert empty.schema.equals(schema_of(plan.heading))
        only_null = read(reader, nulls, small=small)
        assert only_null.column("v").to_pylist() == [None]
        assert only_null.schema.equals(empty.schema)


def test_not_a_number_is_a_value_and_not_a_null(reader: Database, schema_name: str) -> None:
    table = table_of(schema_name, CoreType("float64"))
    create(reader, table, ["NaN"])
    for small in (False, True):
        column = read(reader, analyze.top(Scan(table)), small=small).column("v")
        assert column.null_count == 1
        assert str(column.to_pylist()[0]) == "nan"


def test_relations_without_attributes_still_have_rows(reader: Database, schema_name: str) -> None:
    create(reader, table_of(schema_name, INT32), ["1", "2"])
    bare = Scan(Table(TableName(schema_name, "t"), "", ()))
    assert bare.heading == Heading(())
    for small in (False, True):
        compiled = replace(compile_plan(bare), is_small=small)
        assert sum(batch.num_rows for batch in stream(reader.session, compiled)) == 4
