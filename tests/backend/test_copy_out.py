"""What is read by COPY inside a transaction is what ADBC reads outside."""

import datetime as dt
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from djflow.backend.copy_decode import PADDING, decode
from djflow.backend.session import Session
from djflow.errors import QueryError
from djflow.planner.parameters import Parameter
from djflow.planner.settings import Settled, plan_settings
from djflow.relation.database import Database
from djflow.testing.databases import AWKWARD_TEXTS


def _bits(text: str) -> st.SearchStrategy[float]:
    return st.floats(width=32) if text == "real" else st.floats()


_TEXTS = st.sampled_from(AWKWARD_TEXTS) | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
_MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "smallint": st.integers(-(2**15), 2**15 - 1),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "real": _bits("real"),
    "double precision": _bits("double precision"),
    "boolean": st.booleans(),
    "text": _TEXTS,
    "bytea": st.binary(),
    "date": st.dates(),
    "time without time zone": st.times(),
    "timestamp without time zone": _MOMENTS,
    "timestamp with time zone": _MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
}


@st.composite
def columns(draw: st.DrawFn) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The types of some columns, and rows of values of these, or nulls."""
    types = draw(st.lists(st.sampled_from([*ELEMENTS, *(f"{name}[]" for name in ELEMENTS)]), min_size=1))
    cells = [_cell(sql) for sql in types]
    return types, draw(st.lists(st.tuples(*cells), max_size=8))


def _cell(sql: str) -> st.SearchStrategy[Any]:
    element = ELEMENTS[sql.removesuffix("[]")]
    return st.none() | (st.lists(st.none() | element) if sql.endswith("[]") else element)


@pytest.fixture(scope="module")
def rows_session(server_url: str) -> Iterator[tuple[Session, "psycopg.Connection[Any]"]]:
    """A session, and a connection that writes what it reads."""
    from psycopg.conninfo import conninfo_to_dict

    from djflow.configuration import Settings, changed

    there = conninfo_to_dict(server_url)
    login: dict[str, Any] = {key: there[key] for key in ("host", "user", "password") if key in there}
    login |= {"port": int(there.get("port") or 5432), "name": there["dbname"]}
    with (
        Session(changed(Settings(), {"database": login})) as session,
        psycopg.connect(server_url, autocommit=True) as writer,
    ):
        yield session, writer


@given(columns())
@example((["text", "bytea"], [("", b""), (None, None), ("x" * 100, b"\0" * 100)]))
@example((["integer[]"], [([1, None, 3],), ([],), (None,), (list(range(1000)),), ([None] * 1000,)]))
@example((["text[]"], [(["a" * n for n in range(500)],)]))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_is_read_by_copy_as_adbc_reads_it(
    rows_session: tuple[Session, "psycopg.Connection[Any]"],
    drawn: tuple[list[str], list[tuple[Any, ...]]],
) -> None:
    (session, writer), (types, rows) = rows_session, drawn
    named = ", ".join(f"c{number} {sql}" for number, sql in enumerate(types))
    name = "copied_values"
    writer.execute(f"DROP TABLE IF EXISTS {name}".encode())
    writer.execute(f"CREATE TABLE {name} (n serial, {named})".encode())
    marks = ", ".join(f"%s::{sql}" for sql in types)
    for row in rows:
        writer.execute(f"INSERT INTO {name} VALUES (default, {marks})".encode(), row)
    statement = plan_settings(f"SELECT * FROM {name} ORDER BY n", ())
    expected = pa.Table.from_batches(session.read_stream(statement))
    with session.transaction():
        found = pa.Table.from_batches(session.read_inside(statement, expected.schema, batch_bytes=100))
    assert found.combine_chunks().to_batches() == [] or _bytes(found) == _bytes(expected)
    assert found.num_rows == len(rows)
    found.validate(full=True)


def _bytes(table: pa.Table) -> list[Any]:
    """Values, with all bits of the numbers: NaN is equal to itself and differs from another one."""
    return [[_exact(value, field.type) for value in table[field.name]] for field in table.schema]


def _exact(value: pa.Scalar, type_: pa.DataType) -> Any:
    if not value.is_valid:
        return None
    if pa.types.is_list(type_):
        return [_exact(each, type_.value_type) for each in value.values]
    if pa.types.is_floating(type_):
        return struct.pack("<d", value.as_py())
    if pa.types.is_timestamp(type_):
        return value.value
    return value.as_py()


@pytest.mark.parametrize(
    "value",
    [
        "'{}'::int[]",
        "'{{1,2},{3,4}}'::int[]",
        "'24:00'::time",
        "'0044-03-15 BC'::date",
        "'infinity'::float8",
        "'-0'::float4",
        "'294276-12-31'::timestamp",
        "ARRAY['a', null, '']",
        "null::bytea[]",
    ],
)
def test_rare_values_are_read_by_copy_as_adbc_reads_them(database: Database, value: str) -> None:
    statement = plan_settings(f"SELECT {value} AS value", ())
    session = database.session
    expected = pa.Table.from_batches(session.read_stream(statement))
    with session.transaction():
        found = pa.Table.from_batches(session.read_inside(statement, expected.schema))
    assert found == expected


def test_rows_that_are_not_of_the_schema_are_refused() -> None:
    row = bytes([0, 1, 0, 0, 0, 2, 0, 7])
    two = pa.schema([("n", pa.int16()), ("m", pa.int16())])
    for lengths, schema in (([8], two), ([7], two.remove(1)), ([12], two.remove(1))):
        with pytest.raises(ValueError, match="the rows do not"):
            decode(bytearray(row + PADDING), lengths, schema)


# parameters

NUMBERS = pa.schema([("n", pa.int64())])


def settled(sql: str, *parameters: Parameter) -> Settled:
    return plan_settings(sql, parameters)


def many(rows: int) -> Settled:
    return settled("SELECT n FROM generate_series(1, $1::bigint) n", Parameter(rows, pa.int64(), "bigint"))


def read(session: Session, statement: Settled, schema: pa.Schema = NUMBERS) -> list[Any]:
    table = pa.Table.from_batches(session.read_inside(statement, schema))
    found: list[Any] = table.column(0).to_pylist()
    return found


@pytest.mark.parametrize(
    ("value", "type_", "cast"),
    [
        (["a", None, 'q"\\', "", "NULL", "{,}"], pa.list_(pa.string()), "text[]"),
        ([b"", b"\0\xff", None], pa.list_(pa.binary()), "bytea[]"),
        ([1.5, float("inf"), None, 0.1], pa.list_(pa.float64()), "float8[]"),
        ([1, None, -(2**63)], pa.list_(pa.int64()), "bigint[]"),
        ([], pa.list_(pa.int64()), "bigint[]"),
    ],
)
def test_lists_travel_as_settings(database: Database, value: Any, type_: pa.DataType, cast: str) -> None:
    held = pa.array(value, type_.value_type)
    statement = settled(f"SELECT unnest($1::{cast}) AS v", Parameter(held, type_, cast))
    with database.session.transaction():
        assert read(database.session, statement, pa.schema([("v", type_.value_type)])) == value


@pytest.mark.parametrize(
    ("value", "type_", "cast"),
    [
        ("it's \"\\ ", pa.string(), "text"),
        ("", pa.string(), "text"),
        (b"\0'\\", pa.binary(), "bytea"),
        (0.1 + 0.2, pa.float64(), "float8"),
        (-7, pa.int64(), "bigint"),
    ],
)
def test_values_travel_as_settings(database: Database, value: Any, type_: pa.DataType, cast: str) -> None:
    statement = settled(f"SELECT $1::{cast} AS v", Parameter(value, type_, cast))
    with database.session.transaction():
        assert read(database.session, statement, pa.schema([("v", type_)])) == [value]


def test_a_read_leaves_no_values_behind(database: Database) -> None:
    session = database.session
    with session.transaction():
        assert len(read(session, many(1000))) == 1000
        assert session.execute("SELECT coalesce(current_setting('djflow.p1', true), '')") == [("",)]


# what happens while rows come

Meanwhile = Callable[[Session], object]


@pytest.fixture
def session(database: Database) -> Session:
    return database.session


@pytest.fixture
def taken(session: Session) -> Iterator[None]:
    """A transaction on the session."""
    with session.transaction():
        yield


def _nested(session: Session) -> None:
    with session.transaction():
        session.execute("SELECT 1")


def _nested_failure(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), session.transaction():
        _ = 1 / 0


def _failing(session: Session) -> None:
    with pytest.raises(QueryError, match="division by zero"):
        session.execute("SELECT 1/0")


def _reading(session: Session) -> None:
    assert len(read(session, many(100_000))) == 100_000


@pytest.mark.parametrize("meanwhile", [_nested, _nested_failure, _failing, _reading])
@pytest.mark.usefixtures("taken")
def test_other_statements_may_run_while_rows_come(session: Session, meanwhile: Meanwhile) -> None:
    batches = session.read_inside(many(300_000), NUMBERS, batch_bytes=1 << 16)
    first = next(batches)
    meanwhile(session)
    rest = pa.Table.from_batches(batches)["n"].to_pylist()
    assert [*first["n"].to_pylist(), *rest] == list(range(1, 300_001))


def test_what_was_begun_in_a_transaction_can_be_read_after_its_commit(session: Session) -> None:
    with session.transaction():
        batches = session.read_inside(many(300_000), NUMBERS, batch_bytes=1 << 16)
        first = next(batches).num_rows
    assert first + pa.Table.from_batches(batches).num_rows == 300_000


def test_what_was_begun_in_a_transaction_that_rolled_back_is_an_error(session: Session) -> None:
    def begun_and_broken() -> Iterator[pa.RecordBatch]:
        with session.transaction():
            batches = session.read_inside(many(10_000_000), NUMBERS, batch_bytes=1 << 16)
            next(batches)
            kept.append(batches)
            _ = 1 / 0
        return batches

    kept: list[Iterator[pa.RecordBatch]] = []
    with pytest.raises(ZeroDivisionError):
        begun_and_broken()
    with pytest.raises(QueryError, match="rolled back before"):
        next(kept[0])
    assert session.execute("SELECT 1") == [(1,)]


def test_rows_that_nobody_wants_do_not_keep_the_connection_busy(session: Session) -> None:
    with session.transaction():
        session.execute("CREATE TEMPORARY TABLE mine ON COMMIT DROP AS SELECT 7 AS n")
        for statement in (many(10_000_000), many(10)):
            with closing(session.read_inside(statement, NUMBERS, batch_bytes=100)) as batches:  # type: ignore[type-var]
                next(batches)
            assert session.execute("SELECT n FROM mine") == [(7,)]


def test_an_error_behind_the_first_rows_keeps_its_code_and_the_transaction(session: Session) -> None:
    with session.transaction():
        session.execute("CREATE TEMPORARY TABLE mine ON COMMIT DROP AS SELECT 7 AS n")
        for waits in (False, True):
            failing = settled("SELECT 1 / (n - 100000) AS n FROM generate_series(1, 200000) n")
            batches = session.read_inside(failing, NUMBERS, batch_bytes=1 << 16)
            assert next(batches).num_rows
            if waits:
                assert session.execute("SELECT n FROM mine") == [(7,)]
            with pytest.raises(QueryError, match="division by zero") as caught:
                list(batches)
            assert caught.value.sqlstate == "22012"
            assert session.execute("SELECT n FROM mine") == [(7,)]


def test_an_error_before_the_first_row_is_survived(session: Session) -> None:
    with session.transaction():
        session.execute("CREATE TEMPORARY TABLE mine ON COMMIT DROP AS SELECT 7 AS n")
        for statement in (settled("SELECT 1 / 0"), settled("SELECT nonsense")):
            with pytest.raises(QueryError):
                read(session, statement)
        assert read(session, settled("SELECT n FROM mine")) == [7]


def test_rows_of_a_transaction_are_begun_in_its_thread_only(session: Session) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with session.transaction(), ThreadPoolExecutor(1) as other:
        batches = session.read_inside(many(1000), NUMBERS)
        with pytest.raises(QueryError, match="in its own thread"):
            other.submit(next, batches).result()
        begun = session.read_inside(many(100_000), NUMBERS, batch_bytes=1000)
        first = next(begun).num_rows
        rest = other.submit(pa.Table.from_batches, begun).result()
        assert first + rest.num_rows == 100_000


@dataclass(frozen=True, slots=True)
class Shipped:
    """A temporary table of numbers."""

    name: str
    rows: pa.Table


def test_temporary_tables_go_with_the_read(session: Session) -> None:
    local = Shipped("djflow_local", pa.table({"n": pa.array(range(1000), pa.int64())}))
    plain = settled("SELECT 5::bigint AS n")
    shipped = Settled("SELECT sum(n)::bigint AS n FROM pg_temp.djflow_local", (), (local,))  # type: ignore[arg-type]
    with session.transaction():
        for _ in range(2):
            batches = session.read_inside(plain, NUMBERS, shipped)
            assert pa.Table.from_batches(batches)["n"].to_pylist() == [499_500]
        assert session.execute("SELECT to_regclass('pg_temp.djflow_local') IS NULL") == [(True,)]
