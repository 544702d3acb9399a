"""Five million rows as a stream: the memory that it takes, and the time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

import djflow as dj
from benchmarks.filled_star import filled_star
from benchmarks.report import Row, as_size, limit
from benchmarks.server import Bench

ROUNDS: Final = 3
MEMORY_LIMIT: Final = 300e6
WAYS: Final = {"batches": "to_batches", "restricted": "restricted, to_batches"} | (
    {"parquet": "lazy().sink_parquet"} if hasattr(dj.Relation, "lazy") else {}
)
BARE: Final = "bare"


@dataclass(frozen=True, slots=True)
class Drained:
    """The peak memory of a process in bytes, and the seconds of its stream."""

    peak: float
    seconds: float


def measure(bench: Bench) -> Iterator[Row]:
    """Against a limit for the memory, and draining the bare ADBC driver, each in processes of their own."""
    filled_star(bench)
    runs: dict[str, list[Drained]] = {way: [] for way in (*WAYS, BARE)}
    for _ in range(ROUNDS):
        for way, found in runs.items():
            found.append(drained(bench, way))
    drains = {way: _middle(found) for way, found in runs.items()}
    for way, method in WAYS.items():
        name = f"stream a table, {method}"
        yield limit(f"{name}: peak memory", drains[way].peak, MEMORY_LIMIT, as_size)
        yield Row(f"{name}: peak memory", drains[way].peak, "bare ADBC", drains[BARE].peak, None, as_size)
        yield Row(name, drains[way].seconds, "bare ADBC, drained", drains[BARE].seconds)


def _middle(found: list[Drained]) -> Drained:
    return Drained(max(one.peak for one in found), median(one.seconds for one in found))


def drained(bench: Bench, way: str) -> Drained:
    """Stream the table once, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.stream_memory", str(bench.home), way]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    return Drained(**json.loads(done.stdout))
