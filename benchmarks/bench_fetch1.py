"""One row by its key."""

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import per_call, race
from benchmarks.trial import filled_trial
from djflow.engine.compile import compile_plan

CALLS: Final = 300


def measure(bench: Bench) -> Iterator[Row]:
    """Against a prepared statement in psycopg, and against DataJoint."""
    import psycopg

    trial = filled_trial(bench)
    key = {"session": 0, "trial": 7}
    statement = compile_plan((trial & key).logical_plan).statement
    with closing(bench.connect()) as connection, closing(psycopg.RawCursor(connection)) as cursor:

        def bare() -> None:
            cursor.execute(statement.sql, (0, 7), prepare=True, binary=True).fetchone()

        def ours_once() -> None:
            (trial & key).fetch1()  # a new query each time, as users write it

        ours, prepared = race(per_call(ours_once, CALLS), per_call(bare, CALLS))
    name = "fetch1 by key, one call"
    yield Row(name, ours / CALLS, "psycopg, prepared", prepared / CALLS, AtMost(2.5))
    yield datajoint_times(bench, "fetch1", CALLS).row(name, ours / CALLS, "fetch1", FasterBy(1))
