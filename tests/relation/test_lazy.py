"""Lazy frames: the rows of the relation, and of them only what the query over them needs."""

import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from inline_snapshot import snapshot
from polars.io.plugins import register_io_source
from polars.testing import assert_frame_equal

import djflow as dj
from djflow.engine.compile import compile_plan
from djflow.errors import DataTypeError, QueryError
from djflow.model.table import Heading
from djflow.relation.lazy import LazySource, pushed_down


def sql_of(relation: Any, columns: list[str], predicate: pl.Expr | None, n_rows: int | None) -> str:
    plan, rest = pushed_down(relation.logical_plan, columns, predicate, n_rows)
    text = compile_plan(plan).statement.sql
    return text if rest is None else f"{text}\nthen {rest}"


def test_a_lazy_frame_has_the_rows_and_types_of_the_relation(lab: Any) -> None:
    for relation in (
        lab.Subject(),
        lab.Session & "duration > 0",
        lab.Session * lab.Trial,
        lab.Session.aggr(lab.Trial, n="count(trial)", m="avg(rt)"),
        lab.Session & dj.Top(4, order_by="duration DESC"),
        lab.Subject & False,
    ):
        frame = relation.to_polars()
        assert relation.lazy().collect_schema() == frame.schema
        assert_frame_equal(relation.lazy().collect(), frame)
        assert_frame_equal(relation.lazy().collect(engine="streaming"), frame)


QUERIES: list[Callable[[pl.LazyFrame], pl.LazyFrame]] = [
    lambda f: f.filter(pl.col("session") > 0),
    lambda f: f.filter(pl.col("session") > 0, pl.col("duration").cast(pl.String).str.contains("5")),
    lambda f: f.filter(pl.col("mate").is_null()).select("duration"),
    lambda f: f.select("duration", "subject"),
    lambda f: f.head(2),
    lambda f: f.head(5).filter(pl.col("session") > 0),
    lambda f: f.filter(pl.col("session") > 0).head(3).select("session"),
    lambda f: f.slice(2, 3),
    lambda f: f.tail(2),
    lambda f: f.select(pl.len()),
    lambda f: f.filter(pl.col("session") > 1).select(pl.len()),
    lambda f: f.group_by("subject").agg(pl.col("duration").sum()).sort("subject"),
    lambda f: f.join(f, on="session").sort("subject", "session", "subject_right"),
    lambda f: f.with_columns(x=pl.col("duration") * 2).filter(pl.col("x") > 100),
    lambda f: f.filter(pl.col("duration") > pl.col("duration").mean()),
]


@pytest.mark.parametrize("number", range(len(QUERIES)))
def test_a_query_over_the_lazy_frame_is_the_same_over_the_rows(lab: Any, number: int) -> None:
    query = QUERIES[number]
    for relation in (lab.Session(), lab.Session & dj.Top(7, order_by="duration DESC")):
        expected = query(relation.to_polars().lazy()).collect()
        assert_frame_equal(query(relation.lazy()).collect(), expected)
        assert_frame_equal(query(relation.lazy()).collect(engine="streaming"), expected)


def test_predicates_columns_and_limits_arrive_in_the_sql(lab: Any) -> None:
    def shown(predicate: pl.Expr | None, n_rows: int | None, columns: tuple[str, ...] = ("duration",)) -> str:
        text = sql_of(lab.Session(), list(columns), predicate, n_rows)
        return textwrap.fill(text.replace(lab.schema.database, "lab"), 100)

    assert shown(None, None) == snapshot(
        'SELECT t1."duration" AS "duration" FROM "lab"."session" AS t1 ORDER BY t1."subject", t1."session"'
    )
    assert shown(None, 3) == snapshot("""\
SELECT t1."duration" AS "duration" FROM "lab"."session" AS t1 ORDER BY t1."subject", t1."session"
LIMIT 3\
""")
    assert shown(pl.col("session") > 0, None) == snapshot("""\
SELECT t1."duration" AS "duration" FROM "lab"."session" AS t1 WHERE t1."session" > $1::bigint ORDER
BY t1."subject", t1."session"\
""")
    assert shown(pl.col("session") > 0, 3) == snapshot("""\
SELECT t2."duration" AS "duration" FROM (SELECT t1."subject" AS "subject", t1."session" AS
"session", t1."duration" AS "duration", t1."mate" AS "mate" FROM "lab"."session" AS t1 ORDER BY
t1."subject", t1."session" LIMIT 3) AS t2 WHERE t2."session" > $1::bigint ORDER BY t2."subject",
t2."session"\
""")
    assert shown(pl.col("duration").sin() > 0, None) == snapshot("""\
SELECT t1."duration" AS "duration" FROM "lab"."session" AS t1 ORDER BY t1."subject", t1."session"
then [(col("duration").sin()) > (dyn int: 0)]\
""")


def test_polars_sql_runs_over_it(lab: Any) -> None:
    context = pl.SQLContext(session=lab.Session.lazy(), subject=lab.Subject.lazy())
    found = context.execute(
        "SELECT name, sum(duration) AS total FROM session JOIN subject USING (subject) "
        "WHERE session > 0 GROUP BY name ORDER BY name",
        eager=True,
    )
    assert found.rows() == [("ann", 150.0), ("ben", 150.0), ('it\'s \\ "odd" é', 150.0)]


def test_a_lazy_frame_sinks_to_parquet(lab: Any, tmp_path: Path) -> None:
    lab.Session.lazy().filter(pl.col("session") > 0).sink_parquet(tmp_path / "x.parquet")
    assert_frame_equal(
        pl.read_parquet(tmp_path / "x.parquet"), lab.Session.to_polars().filter(pl.col("session") > 0)
    )


def test_batches_are_as_small_as_asked_for(lab: Any) -> None:
    source = LazySource(lab.Session.logical_plan, lab.schema.connection)
    frames = list(source.read(None, None, None, 2))
    assert [frame.height for frame in frames] == [2, 2, 2, 2, 1]
    assert_frame_equal(pl.concat(frames), lab.Session.to_polars())


def test_each_collection_reads_anew(lab: Any) -> None:
    frame = lab.Trial.lazy().select(pl.len())
    assert frame.collect().item() == 4
    lab.Trial().insert1({"subject": 1, "session": 1, "trial": 9, "rt": None})
    assert frame.collect().item() == 5


@pytest.fixture
def stored(schema: dj.Schema) -> Any:
    @schema
    class Stored(dj.Manual):
        definition = """
        id : int32
        ---
        flat = null : <blob>
        image = null : <blob>
        ragged = null : <blob>
        odd = null : <blob>
        never = null : <blob>
        """

    rows = [
        {
            "id": n,
            "flat": np.arange(3.0),
            "image": np.full((2, 2), n),
            "ragged": np.arange(n),
            "odd": {"n": n},
        }
        for n in range(1, 40)
    ]
    Stored().insert([*rows, {"id": 50}])
    return Stored()


def test_codec_columns_have_the_types_that_to_polars_gives(stored: Any) -> None:
    frame, lazy = stored.to_polars(), stored.lazy()
    assert lazy.collect_schema() == frame.schema
    plain = ["id", "flat", "image", "ragged", "never"]
    assert_frame_equal(lazy.select(plain).collect(), frame.select(plain))
    found = lazy.filter(pl.col("id") > 38).select("odd", "id").collect()
    assert found["odd"].to_list() == [{"n": 39}, None]
    assert lazy.filter(pl.col("id") == 50).select(plain).collect().rows() == [(50, None, None, None, None)]


def test_codec_values_that_change_their_form_are_a_typed_error(stored: Any) -> None:
    stored.insert1({"id": 60, "image": np.zeros((3, 3))})
    with pytest.raises((DataTypeError, pl.exceptions.ComputeError), match="one form"):
        stored.lazy().select("image").collect()
    assert stored.lazy().select("id").collect().height == 41


def test_a_lazy_frame_inside_a_transaction_is_refused(lab: Any) -> None:
    with lab.schema.connection.transaction, pytest.raises(QueryError, match=r"to_polars\(\)\.lazy\(\)"):
        lab.Session.lazy()


@pytest.fixture
def long(schema: dj.Schema) -> Any:
    """A table with more rows than the server sends before somebody reads them."""

    @schema
    class Long(dj.Manual):
        definition = """
        n : int32
        ---
        note : varchar(100)
        """

    Long().insert(pl.DataFrame({"n": np.arange(200_000, dtype="int32"), "note": ["x" * 90] * 200_000}))
    return Long()


def wait_for_readers(schema: dj.Schema, *, at_most: int, state: str = "%") -> None:
    """Wait, without a call of Polars, until few connections read the schema, or have read it last."""
    sql = "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE $1 AND state LIKE $2"
    deadline = time.monotonic() + 20
    while len(rows := schema.connection.query(sql, (f"%{schema.database}%", state))) > at_most:
        assert time.monotonic() < deadline, rows


def test_closing_the_frames_early_stops_the_query_and_leaks_no_connection(
    schema: dj.Schema, long: Any
) -> None:
    for _ in range(8):
        assert long.lazy().filter(pl.col("note").str.len_chars() == 90).head(3).collect().height == 3
        frames = LazySource(long.logical_plan, schema.connection).read(None, None, None, None)
        assert next(frames).height < 200_000
        del frames
    wait_for_readers(schema, state="active", at_most=0)
    wait_for_readers(schema, at_most=5)


@dataclass(frozen=True)
class Slow(LazySource):
    """A source that takes its time for a frame until it is told that nobody waits for it."""

    is_collected: threading.Event

    def _frame(self, batch: pa.RecordBatch, heading: Heading) -> pl.DataFrame:
        self.is_collected.wait(0.5)
        return super()._frame(batch, heading)


def test_frames_that_polars_drops_after_the_query_has_ended_are_closed(schema: dj.Schema, long: Any) -> None:
    source = Slow(long.logical_plan, schema.connection, threading.Event())
    frame = register_io_source(source.read, schema=lambda: source.schema, is_pure=True)
    query = frame.filter(pl.col("note").str.len_chars() == 90).head(3)
    # Its threads read one frame ahead, and drop the source when they have it.
    assert query.collect(engine="streaming").height == 3
    source.is_collected.set()
    wait_for_readers(schema, at_most=0)


ENDING = """
import time
import polars as pl
from polars.io.plugins import register_io_source
from djflow.relation.lazy import ended_with_its_query

def frames(seconds):
    while True:
        yield pl.DataFrame({"n": [1]})
        time.sleep(seconds)

def first_row(seconds):
    frame = register_io_source(lambda *_: ended_with_its_query(frames(seconds)), schema={"n": pl.Int64})
    return frame.filter(pl.col("n") == 1).head(1)

print(len(pl.collect_all([first_row(n / 100) for n in range(1, 10)], engine="streaming")))
"""


def test_a_process_can_end_while_polars_reads_ahead() -> None:
    done = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "9\n", "")
