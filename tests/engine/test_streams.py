"""Streams with parameters: the values arrive exactly, in bounded memory, and nothing is left behind."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.configuration import changed, load
from djflow.engine.compile import compile_plan
from djflow.engine.execute import stream
from djflow.errors import QueryError
from djflow.model.types import CoreType, EnumType, StoredType
from djflow.planner.parameters import Parameter, Parameters
from djflow.planner.settings import plan_settings
from djflow.relation.database import Database
from djflow.testing.databases import values

ROWS = 300_000
TYPES: list[StoredType] = [
    CoreType("int64"),
    CoreType("float32"),
    CoreType("float64"),
    CoreType("decimal", (38, 9)),
    CoreType("char", (4,)),
    CoreType("varchar", (30,)),
    CoreType("bool"),
    CoreType("date"),
    CoreType("datetime"),
    CoreType("bytes"),
    CoreType("uuid"),
    EnumType(("M", "it's", "b\\s", "")),
]


@pytest.fixture
def numbers(schema: dj.Schema) -> Any:
    """Enough rows that a client that stops reading makes the server wait."""

    @schema
    class Number(dj.Manual):
        definition = """
        n : int32
        ---
        half : float64
        note : varchar(16)
        """

    schema.create()
    table = Number()
    table.connection.query(
        f"INSERT INTO {table.full_table_name} "
        f"SELECT n, n / 2.0, 'note ' || n FROM generate_series(1, {ROWS}) n"
    )
    table.connection.query(f"ANALYZE {table.full_table_name}")
    return table


def opened(relation: Any, snapshot: str | None = None) -> Iterator[pa.RecordBatch]:
    compiled = compile_plan(relation.logical_plan)
    return stream(relation.connection.session, compiled, streaming=True, snapshot=snapshot)


def copies(database: Database, table: Any) -> int:
    """How many COPYs of a table's rows are under way."""
    ((found,),) = database.session.execute(
        "SELECT count(*) FROM pg_stat_activity a JOIN pg_stat_progress_copy USING (pid) "
        "WHERE strpos(a.query, $1) > 0",
        (table.full_table_name,),
    )
    return int(found)


def transactions(database: Database, table: Any) -> int:
    """How many transactions are open that read a table, once those of closed connections are gone."""
    for _ in range(200):
        ((found,),) = database.session.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL "
            "AND (strpos(query, $1) > 0 OR query ~ '^BEGIN|djflow.p')",
            (table.full_table_name,),
        )
        if not found:
            break
        database.session.execute("SELECT pg_sleep(0.02)")
    return int(found)


def test_a_stream_with_parameters_is_copied_while_it_is_read(numbers: Any, database: Database) -> None:
    batches = (numbers & "half > 0.5" & "note LIKE 'note%'").to_batches()
    first = next(batches)
    assert 0 < first.num_rows < ROWS / 2
    assert copies(database, numbers) == 1
    assert first.num_rows + sum(batch.num_rows for batch in batches) == ROWS - 1
    assert transactions(database, numbers) == 0


@pytest.mark.parametrize("restriction", ["half > 0.5", pl.DataFrame({"n": range(1, ROWS)})])
def test_an_abandoned_stream_leaves_no_transaction_open(
    numbers: Any, database: Database, restriction: Any
) -> None:
    batches = opened(numbers & restriction)
    assert next(batches).num_rows
    assert copies(database, numbers) == 1
    batches.close()  # type: ignore[attr-defined]
    assert transactions(database, numbers) == 0
    assert next(iter((numbers & "n = 7").to_batches()))["half"].to_pylist() == [3.5]


def test_a_connection_in_the_pool_is_in_no_transaction_and_knows_no_values(
    numbers: Any, database: Database
) -> None:
    assert sum(batch.num_rows for batch in opened(numbers & "half <= 3")) == 6
    session = database.session
    assert transactions(database, numbers) == 0
    left = session.read_bulk("SELECT coalesce(current_setting('djflow.p1', true), '') AS left", ())
    assert pa.Table.from_batches(left)["left"].to_pylist() == [""]


@pytest.mark.parametrize("restriction", ["n > 0", "n > 0 AND half < 1e9"])
def test_what_fails_in_the_middle_of_a_stream_keeps_its_code(
    numbers: Any, database: Database, restriction: str
) -> None:
    failing = (numbers & restriction).proj("half", x="1 / (n - 100000)")
    for query in (failing, numbers.proj(x="1 / (n - 100000)")):
        seen: list[pa.RecordBatch] = []
        with pytest.raises(QueryError, match="division by zero") as caught:
            seen.extend(opened(query))
        assert caught.value.sqlstate == "22012"
        assert 0 < sum(batch.num_rows for batch in seen) < 100_000
    assert transactions(database, numbers) == 0


def test_a_snapshot_is_read_with_parameters(numbers: Any, database: Database) -> None:
    with database.session.snapshot() as snapshot:
        numbers.connection.query(f"DELETE FROM {numbers.full_table_name} WHERE n > 10")
        restricted = numbers & "half > 1" & {"note": "note 9999"}
        for _ in range(2):
            rows = pa.Table.from_batches(opened(restricted, snapshot.name))
            assert rows["n"].to_pylist() == [9999]
        assert pa.Table.from_batches(opened(restricted)).num_rows == 0


def test_a_lazy_frame_streams_its_predicates_values(numbers: Any) -> None:
    frame = numbers.lazy().filter(pl.col("half") >= 149_999.5, pl.col("note").is_in(["note 300000", "'"]))
    for engine in ("in-memory", "streaming"):
        assert frame.collect(engine=engine)["n"].to_list() == [300_000]


CURRENT = "current_setting('{}')".format


def test_the_server_plans_with_the_values_in_view(numbers: Any, database: Database) -> None:
    for restriction, expected in (("n > 299990", "Index"), ("n > 10", "Seq Scan"), ("n = 5", "Index")):
        statement = compile_plan((numbers & restriction).logical_plan).statement
        settled = plan_settings(statement.sql, statement.parameters)
        with database.transaction:
            for setting in settled.settings:
                database.session.execute(
                    "SELECT set_config($1, $2, true)", (setting.name, str(setting.value))
                )
            plan = "\n".join(row[0] for row in database.session.execute(f"EXPLAIN {settled.text(CURRENT)}"))
        assert expected in plan


def streamed(database: Database, params: Parameters, *columns: str) -> pa.RecordBatch:
    settled = plan_settings(f"SELECT {', '.join(columns)}", params.values)
    assert not any(mark in settled.text(CURRENT) for mark in ("$1", "$2"))
    (batch,) = database.session.read_stream(settled)
    return batch


@pytest.fixture(scope="module")
def strange_database(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database of its own, whose owner chose how values are written."""
    name, folder = f"test_{uuid4().hex[:12]}", tmp_path_factory.mktemp("strange")
    parts = {key: str(value) for key, value in conninfo_to_dict(server_url).items()}
    server: dict[str, Any] = {key: parts[key] for key in ("host", "user", "password") if key in parts}
    server |= {"port": int(parts.get("port", "5432")), "name": name}
    ambient = {"DJFLOW_HOME": str(folder), "DJ_IGNORE_CONFIG_FILE": "true"}
    chosen = changed(load(ambient, folder), {"database": server})
    database = Database(lambda: chosen)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        for choice in ("extra_float_digits = 0", "datestyle = 'German'", "bytea_output = 'escape'"):
            connection.execute(f'ALTER DATABASE "{name}" SET {choice}'.encode())
        yield database
        database.close()
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


@pytest.mark.parametrize("stored", TYPES, ids=str)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_value_arrives_as_a_parameter_would(
    strange_database: Database, stored: StoredType, data: st.DataObject
) -> None:
    held = data.draw(st.lists(values(stored), min_size=1, max_size=5))
    params = Parameters()
    one = params.add(held[0], stored)
    several = params.add_list([*held, None], stored)
    columns = (
        f"{one} IS NOT DISTINCT FROM ({several})[1] AS same",
        f"cardinality({several}) AS size",
        f"({several})[{len(held) + 1}] IS NULL AS has_null",
    )
    (row,) = streamed(strange_database, params, *columns).to_pylist()
    assert row == {"same": True, "size": len(held) + 1, "has_null": True}
    assert _as_settings(strange_database, params, one) == _as_parameter(strange_database, params, one)
    assert _as_settings(strange_database, params, several) == _as_parameter(strange_database, params, several)


def _as_settings(database: Database, params: Parameters, fragment: str) -> str:
    settled = plan_settings(f"SELECT {_exact(fragment)} AS v", params.values)
    return str(pa.Table.from_batches(database.session.read_stream(settled))["v"][0])


def _as_parameter(database: Database, params: Parameters, fragment: str) -> str:
    rows = database.session.query_rows(f"SELECT {_exact(fragment)} AS v, {_all(params)}", params.values)
    return str(rows[0][0])


def _all(params: Parameters) -> str:
    # psycopg wants each of its parameters in the text.
    return ", ".join(f"${n}::{p.cast} IS NULL" for n, p in enumerate(params.values, 1))


def _exact(fragment: str) -> str:
    """All bits of a value, whatever the settings of how it is written."""
    return f"md5(record_send(ROW({fragment})))"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0")))
@example("")
@example('it\'s \\ "$1" {a,b} NULL\n\t\r')
@example("x" * 3_000_000)
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_arrives_alone_and_in_a_list(strange_database: Database, text: str) -> None:
    params = Parameters()
    one = params.add(text, CoreType("varchar", (10,)))
    several = params.add_list([text, None, "NULL"], CoreType("varchar", (10,)))
    (row,) = streamed(strange_database, params, f"{one} AS one", f"{several} AS several").to_pylist()
    assert row == {"one": text, "several": [text, None, "NULL"]}


def test_parameters_are_read_wherever_they_stand_and_quoted_text_is_left_alone(database: Database) -> None:
    values_ = (
        Parameter(5, pa.int64(), "bigint"),
        Parameter([1, 5], pa.list_(pa.int64()), "bigint[]"),
        Parameter(None, pa.string(), "text"),
        Parameter([], pa.list_(pa.string()), "text[]"),
    )
    sql = (
        "SELECT $1::bigint + $1::bigint AS \"$1::bigint\", '$2::bigint[]' AS label, "
        "$1::bigint = ANY($2::bigint[]) AS found, $3::text IS NULL AS nothing, "
        "'a' = ANY($4::text[]) AS empty, (SELECT sum(u) FROM unnest($2::bigint[]) u)::bigint AS summed"
    )
    (batch,) = database.session.read_stream(plan_settings(sql, values_))
    assert batch.to_pylist() == [
        {
            "$1::bigint": 10,
            "label": "$2::bigint[]",
            "found": True,
            "nothing": True,
            "empty": False,
            "summed": 6,
        }
    ]


def test_thousands_of_parameters_are_sent(numbers: Any) -> None:
    relation = numbers & [{"n": n, "note": f"note {n}"} for n in range(1, 3_001)]
    assert sum(batch.num_rows for batch in opened(relation)) == 3_000
    many = Parameters()
    total = " + ".join(many.add(n, CoreType("int64")) for n in range(2_500))
    (batch,) = numbers.connection.session.read_stream(plan_settings(f"SELECT {total} AS total", many.values))
    assert batch["total"].to_pylist() == [sum(range(2_500))]


def test_a_statement_without_parameters_is_left_as_it_is(numbers: Any) -> None:
    statement = compile_plan(numbers.logical_plan).statement
    settled = plan_settings(statement.sql, statement.parameters)
    assert (settled.text(CURRENT), settled.settings) == (statement.sql, ())
