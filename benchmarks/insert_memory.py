"""How far the memory of a process grows that inserts a frame: prints bytes as JSON.

Run by `benchmarks.bench_insert`, in a process of its own, since a process seldom gives memory back.
"""

import json
import sys
from pathlib import Path

import djflow as dj
from benchmarks import tables
from benchmarks.server import SCHEMA, open_database
from benchmarks.timing import memory, reset_peak_memory


def main(home: str, rows: str) -> None:
    database = open_database(Path(home))
    schema = dj.Schema(SCHEMA, connection=database)

    @schema
    class MemorySample(dj.Manual):
        definition = tables.SAMPLE

    frame = tables.samples(int(rows)).rechunk()
    MemorySample().insert(frame[:10])
    reset_peak_memory()
    before = memory("VmRSS")
    MemorySample().insert(frame[10:])
    growth = memory("VmHWM") - before
    database.close()
    print(json.dumps({"frame": frame.estimated_size(), "growth": growth}))


if __name__ == "__main__":
    main(*sys.argv[1:])
