"""Insert of 1,000,000 rows x 6 columns from a Polars frame against a bare binary COPY of the same bytes.

Run with `python benchmarks/bench_wire.py [CONNINFO]`; without one, the embedded server is used.
Prints seconds (best of five), the median ratio of neighbouring runs and, for Linux, the most memory
taken beyond the frame itself.
"""

import gc
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
import polars as pl
import psycopg
import pyarrow as pa

from djflow.backend.embedded import EmbeddedServer
from djflow.backend.wire import copy_rows, encode_copy
from djflow.ingest.prepare import prepare
from djflow.model.names import TableName
from djflow.model.table import Attribute, Null, Table
from djflow.model.types import CoreType, sql_type

ROWS: Final = 1_000_000
REPEATS: Final = 5
TYPES: Final = {
    "trial": CoreType("int64"),
    "subject": CoreType("int32"),
    "rate": CoreType("float64"),
    "label": CoreType("varchar", (20,)),
    "at": CoreType("datetime"),
    "correct": CoreType("bool"),
}
TRIALS: Final = Table(
    TableName("djflow_bench", "trial"),
    "",
    tuple(
        Attribute(
            name,
            stored,
            stored,
            in_key=name == "trial",
            nullable=name == "rate",
            default=Null() if name == "rate" else None,
        )
        for name, stored in TYPES.items()
    ),
)
STATEMENT: Final = f"COPY djflow_bench.trial ({', '.join(TYPES)}) FROM STDIN (FORMAT binary)"


def make_frame() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "trial": np.arange(ROWS),
            "subject": rng.integers(0, 500, ROWS).astype(np.int32),
            "rate": rng.normal(size=ROWS),
            "label": [f"trial-{n % 9973}" for n in range(ROWS)],
            "at": np.datetime64("2024-01-01", "us") + np.arange(ROWS) * 1000,
            "correct": rng.random(ROWS) < 0.5,
        }
    )


def payload(frame: pl.DataFrame) -> Iterator[bytes]:
    return encode_copy(prepare(frame, TRIALS), TRIALS.columns)


def copy_all(connection: psycopg.Connection, pieces: Iterable[bytes], rows: int = ROWS) -> float:
    connection.execute("TRUNCATE djflow_bench.trial")
    connection.execute("CHECKPOINT")
    start = time.perf_counter()
    with connection.cursor() as cursor:
        assert copy_rows(cursor, STATEMENT, pieces) == rows
    return time.perf_counter() - start


def measure(connection: psycopg.Connection, frame: pl.DataFrame) -> None:
    copy_all(connection, payload(frame.head(1000)), 1000)  # what is imported is no part of the insert
    before = reset_peak()
    copy_all(connection, payload(frame))
    extra = memory("VmHWM") - before
    encoding = best(lambda: sum(map(len, payload(frame))))
    encoded = b"".join(payload(frame))
    pieces = [encoded[start : start + 2**20] for start in range(0, len(encoded), 2**20)]
    bare, insert = [], []
    for _ in range(REPEATS):  # in turns, so that both meet the same disturbances
        bare.append(copy_all(connection, pieces))
        insert.append(copy_all(connection, payload(frame)))
    size = frame.estimated_size()
    ratio = median(ours / theirs for ours, theirs in zip(insert, bare, strict=True))
    print(f"bare COPY      {min(bare):6.2f} s")
    print(f"from Polars    {min(insert):6.2f} s, median ratio {ratio:.2f}, encoding alone {encoding:.2f} s")
    print(f"memory         frame {size / 2**20:.0f} MB, peak beyond it {extra / 2**20:.0f} MB")


def best(action: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def reset_peak() -> int:
    """Forget the peak of resident memory so far; returns what is resident now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return memory("VmRSS")


def memory(field: str) -> int:
    """Bytes, as Linux counts them for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


@contextmanager
def server() -> Iterator[str]:
    if len(sys.argv) > 1:
        yield sys.argv[1]
        return
    with tempfile.TemporaryDirectory() as home:
        embedded = EmbeddedServer(Path(home))
        yield embedded.acquire()
        embedded.release()


def main() -> None:
    frame = make_frame()
    gc.collect()
    pa.default_memory_pool().release_unused()
    with server() as url, psycopg.connect(url, autocommit=True) as connection:
        declared = ", ".join(f"{name} {sql_type(stored)}" for name, stored in TYPES.items())
        connection.execute("DROP SCHEMA IF EXISTS djflow_bench CASCADE; CREATE SCHEMA djflow_bench")
        connection.execute(f"CREATE TABLE djflow_bench.trial ({declared}, PRIMARY KEY (trial))".encode())
        try:
            measure(connection, frame)
        finally:
            connection.execute("DROP SCHEMA djflow_bench CASCADE")


if __name__ == "__main__":
    main()
