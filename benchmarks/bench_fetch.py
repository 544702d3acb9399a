"""A million rows of eight columns to Polars."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import race
from benchmarks.trial import filled_trial
from djflow.engine.compile import compile_plan

if TYPE_CHECKING:
    import polars as pl


def measure(bench: Bench) -> Iterator[Row]:
    """Against the bare ADBC driver on the same SQL, and against DataJoint."""
    import polars as pl
    from adbc_driver_postgresql import dbapi

    trial = filled_trial(bench)
    sql = compile_plan(trial().logical_plan).statement.sql
    with closing(dbapi.connect(bench.url, autocommit=True)) as driver, closing(driver.cursor()) as cursor:

        def bare() -> "pl.DataFrame | pl.Series":
            cursor.execute(sql)
            return pl.from_arrow(cursor.fetch_arrow_table())

        ours, adbc = race(trial().to_polars, bare)
    name = "fetch a table to Polars"
    yield Row(name, ours, "bare ADBC", adbc, AtMost(1.1))
    yield datajoint_times(bench, "fetch").row(name, ours, "to_polars", FasterBy(25))
