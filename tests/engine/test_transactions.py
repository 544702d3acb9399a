"""What is read inside a transaction: its own rows, in the types and the order that they have outside."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import djflow as dj
from djflow.engine.compile import compile_plan
from djflow.engine.execute import stream
from djflow.errors import DuplicateError, QueryError, SerializationError
from djflow.relation.database import Database
from djflow.tables.schema import Schema
from djflow.testing.databases import texts

ROWS = 20_000

_UUIDS = st.uuids().map(str)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | texts(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts(), inner, max_size=3),
    max_leaves=4,
)
_MOMENTS = st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))
_CELLS: dict[str, st.SearchStrategy[Any]] = {
    "tiny": st.integers(-128, 127),
    "small": st.integers(-(2**15), 2**15 - 1),
    "middle": st.integers(-(2**31), 2**31 - 1),
    "large": st.integers(-(2**63), 2**63 - 1),
    "narrow": st.floats(width=32),
    "wide": st.floats(),
    "price": st.decimals(-999, 999, places=3, allow_nan=False),
    "huge": st.integers(-(10**50), 10**50).map(Decimal),
    "code": texts().map(lambda text: text[:4].rstrip(" ")),
    "name": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    "flag": st.booleans(),
    "day": st.dates(),
    "moment": _MOMENTS,
    "raw": st.binary(),
    "document": _JSON,
    "ident": _UUIDS,
    "mark": st.sampled_from(["a", "it's", ""]),
    "span": st.timedeltas(dt.timedelta(days=-1000), dt.timedelta(days=1000)),
    "numbers": st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5),
    "words": st.lists(st.none() | texts(), max_size=5),
    "clock": st.times(),
    "zoned": _MOMENTS.map(lambda moment: moment.replace(tzinfo=dt.UTC)),
}
_ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, values in _CELLS.items()}), max_size=6
)


@pytest.fixture
def everything(schema: Schema) -> Any:
    @schema
    class Everything(dj.Manual):
        definition = """
        n : int32
        ---
        tiny = null : int8
        small = null : int16
        middle = null : int32
        large = null : int64
        narrow = null : float32
        wide = null : float64
        price = null : decimal(6,3)
        huge = null : decimal(60,0)
        code = null : char(4)
        name = null : varchar(30)
        flag = null : bool
        day = null : date
        moment = null : datetime(6)
        raw = null : bytes
        document = null : json
        ident = null : uuid
        mark = null : enum('a', 'it''s', '')
        span = null : interval
        numbers = null : integer[]
        words = null : text[]
        clock = null : time
        zoned = null : timestamptz
        """

    return Everything()


@pytest.mark.filterwarnings("ignore::djflow.errors.NativeTypeWarning")
@given(rows=_ROWS)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_frame_is_the_same_inside_a_transaction_and_outside(
    everything: Any, rows: list[dict[str, Any]]
) -> None:
    database = everything.connection
    everything.delete_quick()
    with database.transaction:
        everything.insert([{"n": n, **row} for n, row in enumerate(rows)])
        inside = exact(everything)
        restricted = exact(everything & [{"n": n} for n in range(1000)])
        streamed = pa.Table.from_batches(everything.to_batches())
        assert everything.to_arrow().num_rows == len(rows)
    outside = exact(everything)
    assert inside == outside
    assert restricted == outside
    assert streamed.schema == pa.Table.from_batches(everything.to_batches()).schema
    assert streamed.num_rows == len(rows)


def exact(relation: Any) -> list[Any]:
    """The types, and the values with all their bits."""
    batches = list(stream(relation.connection.session, compile_plan(relation.logical_plan)))
    table = pa.Table.from_batches(batches).sort_by("n").combine_chunks()
    told = [
        column.combine_chunks().view(pa.int64() if field.name == "wide" else pa.int32()).to_pylist()
        if field.name in {"wide", "narrow"}
        else column.cast(pa.int64()).to_pylist()
        if field.name in {"span", "moment", "zoned", "clock"}
        else column.to_pylist()
        for field, column in zip(table.schema, table.columns, strict=True)
    ]
    return [table.schema, told]


@pytest.fixture
def numbers(schema: Schema) -> Any:
    @schema
    class Number(dj.Manual):
        definition = """
        n : int32
        ---
        half : float64
        note : varchar(16)
        """

    return Number()


def rows(first: int = 0, size: int = ROWS) -> pl.DataFrame:
    n = np.arange(first, first + size, dtype=np.int32)
    return pl.DataFrame({"n": n, "half": n / 2, "note": [f"note {each}" for each in n]})


def test_every_form_of_fetch_sees_rows_that_are_not_committed(numbers: Any) -> None:
    with numbers.connection.transaction:
        numbers.insert(rows())
        some = numbers & "half >= 5" & {"note": [f"note {n}" for n in range(100)]}
        assert numbers.to_polars().equals(rows())
        assert numbers.to_arrow().num_rows == len(numbers) == ROWS
        assert sum(batch.num_rows for batch in numbers.to_batches()) == ROWS
        assert numbers.to_arrays("half").sum() == rows()["half"].sum()
        assert (numbers & "n < 0").to_polars().schema == rows().schema
        assert numbers.to_pandas().shape == (ROWS, 2)
        assert [row["n"] for row in some.to_dicts()] == list(range(10, 100))
        assert dj.U().aggr(numbers, total="sum(half)").fetch1("total") == rows()["half"].sum()
        assert (numbers & rows().select("n").filter(pl.col("n") % 7 == 0)).to_polars().height == -(-ROWS // 7)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(len, numbers).result() == ROWS


def test_large_frames_are_joined_inside_a_transaction(numbers: Any) -> None:
    session = numbers.connection.session
    session.inline_values = 10
    with numbers.connection.transaction:
        numbers.insert(rows())
        for _ in range(2):
            found = (numbers * rows().select("n", twice=pl.col("n") * 2)).to_polars()
            assert found["twice"].to_list() == [2 * n for n in range(ROWS)]
            assert not numbers & rows(ROWS)


def test_rows_are_inserted_while_others_are_read(numbers: Any) -> None:
    numbers.insert(rows())
    with numbers.connection.transaction:
        for batch in (numbers & "n >= 0").to_batches():
            numbers.insert(pl.DataFrame(batch).with_columns(pl.col("n") + ROWS))
        assert len(numbers) == 2 * ROWS
    assert numbers.to_polars()["n"].to_list() == list(range(2 * ROWS))


def test_a_query_that_fails_leaves_the_rows_of_the_transaction(numbers: Any) -> None:
    with numbers.connection.transaction:
        numbers.insert(rows())
        failing = numbers.proj(x="1 / (n - 10000)")
        for read in (failing.to_polars, failing.to_dicts, lambda: list(failing.to_batches())):
            with pytest.raises(QueryError, match="division by zero"):
                read()
        with pytest.raises(QueryError, match="division by zero"):
            (failing & "n = 10000").fetch1("x")
        with pytest.raises(DuplicateError):
            numbers.insert(rows(ROWS - 1))
        assert len(numbers) == ROWS
    assert len(numbers) == ROWS


def _few(numbers: Any) -> pa.RecordBatchReader:
    return (numbers & "n = 1").to_batches()


def _many(numbers: Any) -> pa.RecordBatchReader:
    return numbers.to_batches()


def _local(numbers: Any) -> pa.RecordBatchReader:
    return numbers.proj(x=pl.col("half").sin().round(3)).to_batches()


@pytest.mark.parametrize("asked", [_few, _many, _local])
def test_batches_of_a_transaction_are_begun_in_it_or_not_at_all(
    numbers: Any, asked: Callable[[Any], pa.RecordBatchReader]
) -> None:
    with numbers.connection.transaction:
        numbers.insert(rows())
        assert asked(numbers).read_all().num_rows
        with ThreadPoolExecutor(1) as other, pytest.raises(QueryError, match="in its own thread"):
            other.submit(asked(numbers).read_all).result()
        left = asked(numbers)
    with pytest.raises(QueryError, match="before it ends"):
        left.read_all()
    assert asked(numbers).read_all().num_rows


# the faces of it


def test_a_schema_a_connection_and_a_session_give_one_transaction(numbers: Any, schema: Schema) -> None:
    database = numbers.connection
    assert len(numbers) == 0
    with schema.transaction, database.transaction, database.session.transaction():
        numbers.insert1((1, 0.5, "a"))
        assert database.in_transaction
    assert len(numbers) == 1
    with pytest.raises(ZeroDivisionError), schema.transaction:  # noqa: PT012 - the block is the transaction
        numbers.insert1((2, 0.5, "a"))
        _ = 1 / 0
    assert len(numbers) == 1


def test_a_function_runs_in_a_transaction_until_no_other_is_in_its_way(numbers: Any) -> None:
    numbers.insert1((1, 0.0, ""))
    database: Database = numbers.connection
    seen: list[float] = []

    def increment() -> float:
        half = float((numbers & "n = 1").fetch1("half"))
        seen.append(half)
        if len(seen) == 1:
            with ThreadPoolExecutor(1) as other:
                other.submit(numbers.update1, {"n": 1, "half": 10.0}).result()
        numbers.update1({"n": 1, "half": half + 1})
        return half

    assert database.run_in_transaction(increment, isolation="repeatable read") == 10
    assert seen == [0, 10]
    assert numbers.fetch1("half") == 11
    seen.clear()
    session = database.session
    with (
        pytest.raises(SerializationError, match="run_in_transaction"),
        session.transaction("repeatable read"),
    ):
        increment()
    assert numbers.fetch1("half") == 10


def test_a_transaction_is_begun_and_ended_by_hand(numbers: Any) -> None:
    database: Database = numbers.connection
    assert not numbers
    database.start_transaction()
    with pytest.raises(dj.DataJointError, match="open already"):
        database.start_transaction()
    numbers.insert1((1, 0.5, "a"))
    database.commit_transaction()
    database.start_transaction()
    numbers.insert1((2, 0.5, "a"))
    database.cancel_transaction()
    assert not database.in_transaction
    assert numbers.to_arrays("n").tolist() == [1]
    with pytest.raises(QueryError, match="no transaction"):
        database.commit_transaction()


def test_a_connection_tells_whether_it_is_open(database: Database) -> None:
    assert not database.is_connected
    database.ping()
    assert database.is_connected
    database.close()
    assert not database.is_connected
    database.connect()
    assert database.is_connected


@pytest.mark.parametrize("sql", ["SELECT $1::int + $2::int, 'x'", "SELECT %s::int + %s::int, 'x'"])
def test_rows_of_ones_own_sql_are_a_list_and_a_cursor(database: Database, sql: str) -> None:
    found = database.query(sql, (1, 2))
    assert found == [(3, "x")]
    assert (found.fetchone(), found.fetchone(), found.fetchall()) == ((3, "x"), None, [])
    assert database.query(sql, args=[1, 2]).fetchall() == [(3, "x")]
    assert database.query("SELECT '100%'") == [("100%",)]
    assert database.query(f"SELECT '{UUID(int=0)}'::uuid") == [(UUID(int=0),)]


def test_a_statement_of_ones_own_that_fails_is_undone_alone(numbers: Any) -> None:
    with numbers.connection.transaction:
        numbers.insert1((1, 0.5, "a"))
        for failing in ("SELECT 1/0", "SELECT %s/0"):
            with pytest.raises(QueryError):
                numbers.connection.query(failing, (1,) if "%" in failing else ())
        assert len(numbers) == 1
    assert len(numbers) == 1
