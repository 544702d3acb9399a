"""From nothing to the first row on the embedded server, with its full durability."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.bench_embedded import first_row, seconds, wait_until_stopped
from benchmarks.report import Row, limit
from benchmarks.server import Bench, stop
from benchmarks.timing import seconds as clocked
from djflow.backend.embedded import EmbeddedServer

REPEATS: Final = 3
SCRIPT: Final = """
import sys
from pathlib import Path
import djflow as dj
from benchmarks.server import open_database
schema = dj.Schema("lab", connection=open_database(Path(sys.argv[1])))
@schema
class Subject(dj.Manual):
    definition = "subject : int32\\n---\\nborn : date"
Subject.insert1({"subject": 1, "born": "2024-05-01"})
print(Subject.to_polars())
"""


def measure(_bench: Bench) -> Iterator[Row]:
    """Against fixed limits: a start without a cluster, and one with a cluster but no server."""
    cold, warm, script = [], [], []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory(prefix="djflow-bench-") as folder:
            server = EmbeddedServer(Path(folder) / "home")
            cold.append(seconds(first_row, server))
            wait_until_stopped(server)
            warm.append(seconds(first_row, server))
            wait_until_stopped(server)
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory(prefix="djflow-bench-", ignore_cleanup_errors=True) as folder:
            script.append(clocked(lambda: run_script(folder)))
            stop(Path(folder))
    yield limit("embedded server, cold, to a row", median(cold), 3)
    yield limit("embedded server, warm, to a row", median(warm), 0.5)
    yield Row("a first script: import, start, declare, insert, fetch", median(script), "", None)


def run_script(folder: str) -> None:
    subprocess.run([sys.executable, "-c", SCRIPT, folder], capture_output=True, check=True)
