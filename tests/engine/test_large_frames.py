"""Frames too large for arrays travel as temporary tables: the same rows, and nothing is left behind."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.backend.session import INLINE_VALUES, Session
from djflow.configuration import changed
from djflow.engine import execute
from djflow.engine.compile import compile_plan
from djflow.errors import QueryError
from djflow.planner.lower_sql import lower_count, lower_rows
from djflow.planner.rewriter import optimise
from djflow.relation.database import Database
from djflow.tables.schema import Schema

KEYS = pl.DataFrame(
    {"subject": [1, 3, 3, None, 99], "run": [0, 1, 1, 0, 0], "name": ["a", "c", "c", "a", None]}
)


@pytest.fixture
def runs(schema: Schema) -> Any:
    @schema
    class Run(dj.Manual):
        definition = """
        subject : int32
        run : int16
        ---
        name : varchar(10)
        score = null : decimal(8,3)
        day = null : date
        raw = null : bytes
        weight = null : float64
        """

    Run().insert(
        [
            {
                "subject": s,
                "run": r,
                "name": "abcd"[s - 1],
                "score": f"{s}.5",
                "day": f"2024-01-0{s}",
                "raw": b"x",
            }
            for s in (1, 2, 3, 4)
            for r in (0, 1)
        ]
    )
    return Run()


@pytest.fixture
def session(database: Database) -> Session:
    """A session in which every frame counts as large."""
    database.session.inline_values = 0
    return database.session


def left_behind(database: Database) -> int:
    """The temporary tables of all sessions, once those that were closed are gone."""
    query = "SELECT count(*) FROM pg_class WHERE relname LIKE 'djflow_frame%'"
    for _ in range(100):
        ((tables,),) = database.session.execute(query)
        if not tables:
            return 0
        database.session.execute("SELECT pg_sleep(0.02)")
    return int(tables)


def frames() -> list[pl.DataFrame]:
    return [
        KEYS.select("subject"),
        KEYS.select("subject", "run"),
        KEYS.select("name"),
        KEYS.select("name", "subject", "run"),
        pl.DataFrame({"score": ["1.5", "3.500", "9"]}),
        pl.DataFrame({"day": ["2024-01-01", "2024-01-03"], "subject": [1, 3]}),
        pl.DataFrame({"raw": [b"x", b"y"], "subject": [2, 2]}),
        pl.DataFrame({"weight": [0.5, float("nan")]}),
        pl.DataFrame({"subject": [4] * 7}),
    ]


@pytest.mark.parametrize("frame", frames(), ids=lambda frame: "-".join(frame.columns))
def test_a_table_of_keys_keeps_what_arrays_of_keys_keep(
    frame: pl.DataFrame, runs: Any, database: Database
) -> None:
    answers = []
    for inline_values in (INLINE_VALUES, 0):
        database.session.inline_values = inline_values
        for query in (runs & frame, runs - frame, runs & [frame, {"subject": 2}], runs.proj() & frame):
            answers.append((len(query), bool(query), query.to_arrow()))
            with database.transaction:
                answers.append((len(query), bool(query), query.to_arrow()))
    half = len(answers) // 2
    assert answers[:half] == answers[half:]
    assert left_behind(database) == 0


def test_the_text_depends_on_the_plan_and_the_size_alone(runs: Any) -> None:
    statement = lower_rows(optimise((runs.proj() & KEYS.select("subject", "run")).logical_plan).plan)
    assert statement.shipped(INLINE_VALUES) is None
    shipped = statement.shipped(0)
    assert shipped is not None
    assert shipped == statement.shipped(0)
    assert 'pg_temp."djflow_frame_1"' in shipped.sql
    assert "unnest" not in shipped.sql
    assert shipped.parameters == ()
    assert shipped.tables[0].rows.schema == pa.schema([("c1", pa.int64()), ("c2", pa.int64())])


def test_parameters_beside_a_shipped_frame_keep_their_values(runs: Any, session: Session) -> None:
    query = runs & "name >= 'b'" & KEYS.select("name") & "score < 3.6" & KEYS.select("subject")
    shipped = compile_plan(query.logical_plan).statement.shipped(session.inline_values)
    assert shipped is not None
    assert len(shipped.tables) == 2
    assert query.to_polars()["subject"].to_list() == [3, 3]


@pytest.mark.usefixtures("session")
def test_a_frame_used_twice_is_found_twice(runs: Any, database: Database) -> None:
    keys = KEYS.select("subject")
    query = (runs & keys).proj(other="run") * (runs & keys).proj("name")
    assert len(query) == 8 == query.to_arrow().num_rows
    assert left_behind(database) == 0


@pytest.mark.usefixtures("session")
def test_large_frames_are_seen_inside_a_transaction_beside_its_own_writes(
    runs: Any, database: Database
) -> None:
    with database.transaction:
        runs.insert1({"subject": 99, "run": 0, "name": "new"})
        assert len(runs & KEYS.select("subject", "run")) == 3
        assert (runs & KEYS.select("subject")).to_polars()["subject"].to_list() == [1, 1, 3, 3, 99]
    assert left_behind(database) == 0


@pytest.mark.usefixtures("session")
def test_an_error_in_a_shipped_query_is_survived_by_the_transaction(runs: Any, database: Database) -> None:
    failing = (runs & KEYS.select("subject")).proj(x="1 / (run - run)")
    with database.transaction:
        runs.insert1({"subject": 99, "run": 0, "name": "new"})
        with pytest.raises(QueryError, match="division by zero"):
            failing.to_arrow()
        assert len(runs & KEYS.select("subject", "run")) == 3
    with pytest.raises(QueryError, match="division by zero"):
        failing.to_arrow()
    with pytest.raises(QueryError, match="division by zero"):
        list(failing)
    assert left_behind(database) == 0


def test_an_abandoned_stream_leaves_no_table(runs: Any, session: Session, database: Database) -> None:
    compiled = compile_plan((runs & KEYS.select("subject")).logical_plan)
    stream = execute.stream(session, compiled, streaming=True)
    assert next(stream).num_rows
    stream.close()  # type: ignore[attr-defined]
    assert left_behind(database) == 0
    assert (runs & KEYS.select("subject")).to_arrow().num_rows == 4


@pytest.mark.usefixtures("session")
def test_a_connection_is_reused_with_the_same_name_for_another_frame(runs: Any, database: Database) -> None:
    for subject in (1, 2, 3):
        keys = pl.DataFrame({"subject": [subject]})
        assert set((runs & keys).to_arrow()["subject"].to_pylist()) == {subject}
    assert left_behind(database) == 0


@pytest.mark.usefixtures("session")
def test_explain_counts_and_runs_the_shipped_statement(runs: Any, database: Database) -> None:
    query = runs & KEYS.select("subject", "run")
    assert "djflow_frame_1" in str(query.explain(analyze=True))
    assert left_behind(database) == 0


def test_statements_that_write_read_large_frames(runs: Any, session: Session, database: Database) -> None:
    statement = lower_count((runs & KEYS.select("subject", "run")).logical_plan)
    name = f'"{runs.heading["subject"].lineage.partition(".")[0]}"."counted"'
    session.execute(f"CREATE TABLE {name} (n bigint)")
    assert execute.write(session, statement, lambda text: f"INSERT INTO {name} {text}") == 1
    assert session.execute(f"SELECT n FROM {name}") == [(2,)]
    assert left_behind(database) == 0


@pytest.fixture(params=["not allowed", "read-only"])
def restricted_session(
    request: pytest.FixtureRequest, runs: Any, database: Database, server_url: str
) -> Iterator[Session]:
    """A session of a role that may not, or can only read and so cannot, make temporary tables."""
    role, known = f"reader_{uuid4().hex[:8]}", conninfo_to_dict(server_url)
    schema = runs.heading["subject"].lineage.partition(".")[0]
    forbid = {
        "not allowed": f'REVOKE TEMPORARY ON DATABASE "{known["dbname"]}" FROM PUBLIC',
        "read-only": f"ALTER ROLE {role} SET default_transaction_read_only = on",
    }
    with psycopg.connect(server_url, autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f'GRANT USAGE ON SCHEMA "{schema}" TO {role}',
            f'GRANT SELECT ON ALL TABLES IN SCHEMA "{schema}" TO {role}',
            forbid[request.param],
        ):
            connection.execute(statement.encode())
        settings = changed(
            database.settings,
            {
                "database": {
                    "host": known["host"],
                    "port": int(str(known["port"])),
                    "user": role,
                    "password": "",
                    "name": known["dbname"],
                }
            },
        )
        try:
            with Session(settings, inline_values=0) as session:
                yield session
        finally:
            connection.execute(f'GRANT TEMPORARY ON DATABASE "{known["dbname"]}" TO PUBLIC'.encode())
            connection.execute(f"DROP OWNED BY {role}".encode())
            connection.execute(f"DROP ROLE {role}".encode())


def test_where_no_temporary_table_may_be_made_arrays_travel(restricted_session: Session, runs: Any) -> None:
    session = restricted_session
    plan = (runs & KEYS.select("subject", "run")).logical_plan
    assert execute.count(session, plan) == 2
    bulk = list(execute.stream(session, compile_plan(plan)))
    with session.transaction():
        small = list(execute.stream(session, compile_plan(plan)))
        assert execute.exists(session, plan)
    assert pa.Table.from_batches(bulk) == pa.Table.from_batches(small)


@pytest.mark.usefixtures("session")
def test_a_failure_names_neither_keys_nor_passwords(runs: Any) -> None:
    keys = pl.DataFrame({"name": ["confidential-key"]})
    failing = (runs - keys).proj(x="1 / (run - run)")
    with pytest.raises(QueryError) as caught:
        failing.to_arrow()
    assert "confidential" not in str(caught.value)
    assert "password" not in str(caught.value)


def test_two_hundred_thousand_keys_of_two_columns_restrict(runs: Any, database: Database) -> None:
    many = pl.DataFrame({"subject": pl.arange(200_000, eager=True), "run": 1})
    for keys in (many, many.select("subject"), pl.concat([many, many])):
        assert len(runs & keys) == (4 if keys.width == 2 else 8)
        assert (runs - keys).to_arrow().num_rows == (4 if keys.width == 2 else 0)
    assert left_behind(database) == 0
