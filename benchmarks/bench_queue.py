"""Queues of many jobs: filled by one statement, and counted without being read."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

import djflow as dj
from benchmarks import dag
from benchmarks.report import AtMost, Row
from benchmarks.server import Bench
from benchmarks.timing import per_call, race, scaled

FEW: Final = 10_000
MANY: Final = 1_000_000
CALLS: Final = 50


def measure(bench: Bench) -> Iterator[Row]:
    """Against the bare statement, and against a hundredth of the jobs."""
    few, many = scaled(FEW), scaled(MANY)
    found = dag.declared(bench.schema, dj, {"Made": (("Source",), 0)}, "Queued")
    source, made = found["Source"](), found["Made"]()
    source.insert(pl.DataFrame({"number": np.arange(few, dtype="int32")}))
    made.jobs.refresh()
    (with_few,) = race(per_call(made.jobs.progress, CALLS))
    source.insert(pl.DataFrame({"number": np.arange(few, many, dtype="int32")}))
    queue, bare = made.jobs.full_table_name, "bench.bare_queue"
    bench.run(f"CREATE TABLE {bare} (LIKE {queue} INCLUDING ALL)")

    def empty() -> None:
        bench.run(f"TRUNCATE {queue}")
        bench.run(f"TRUNCATE {bare}")

    by_hand = (
        f"INSERT INTO {bare} (number, status, priority, scheduled_time) "
        f"SELECT number, 'pending', 5, now() FROM {source.full_table_name} ORDER BY number"
    )
    ours, bare_time = race(made.jobs.refresh, lambda: bench.run(by_hand), repeats=3, prepare=empty)
    made.jobs.refresh()
    assert made.jobs.progress()["pending"] == many
    (with_many,) = race(per_call(made.jobs.progress, CALLS))
    yield Row(f"fill a queue with {many:,} keys", ours, "bare INSERT ... SELECT", bare_time, AtMost(1.5))
    yield Row(f"progress() of {many:,} jobs", with_many / CALLS, f"of {few:,}", with_few / CALLS, AtMost(1.5))
