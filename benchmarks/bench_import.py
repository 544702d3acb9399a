"""What `import djflow` costs and opens, each time in a fresh process."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Final

from benchmarks.report import MoreBy, Row, as_count, limit
from benchmarks.server import Bench
from benchmarks.timing import race

DECLARED: Final = """
import djflow as dj
schema = dj.Schema("lab")
@schema
class Subject(dj.Manual):
    definition = "subject : int32\\n---\\nborn : date"
"""
OPEN_SOCKETS: Final = """
import os
import djflow
open_ones = 0
for fd in os.listdir("/proc/self/fd"):
    try:
        open_ones += os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:  # the one through which the folder was listed
        pass
print(open_ones)
"""


def measure(_bench: Bench) -> Iterator[Row]:
    """Against `import polars`."""
    bare, declared, polars = race(
        lambda: run("import djflow"), lambda: run(DECLARED), lambda: run("import polars"), repeats=7
    )
    yield Row("import djflow", bare, "import polars", polars, MoreBy(0.25))
    yield Row("import djflow, declare a table", declared, "import polars", polars)
    yield limit("sockets open after the import", float(run(OPEN_SOCKETS)), 0, as_count)


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout
