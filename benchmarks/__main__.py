"""Run the benchmarks and print their figures as one table.

`python -m benchmarks` runs all, `python -m benchmarks fetch insert` some of them; with `--markdown PAGE` the
table is also written as a page of the documentation.
DJFLOW_BENCH_SCALE multiplies all sizes; the targets are meant for 1.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from benchmarks import (
    bench_blobs,
    bench_delete,
    bench_fetch,
    bench_fetch1,
    bench_flow,
    bench_import,
    bench_insert,
    bench_npy,
    bench_plan,
    bench_populate,
    bench_preview,
    bench_queries,
    bench_queue,
    bench_restrict,
    bench_start,
    bench_stream,
    bench_validate,
    bench_zarr,
)
from benchmarks.figures_page import figures_page
from benchmarks.report import Row, Verdict, table
from benchmarks.server import Bench, temporary_bench

BENCHMARKS: Final[dict[str, Callable[[Bench], Iterable[Row]]]] = {
    "import": bench_import.measure,
    "start": bench_start.measure,
    "fetch": bench_fetch.measure,
    "fetch1": bench_fetch1.measure,
    "restrict": bench_restrict.measure,
    "insert": bench_insert.measure,
    "blobs": bench_blobs.measure,
    "delete": bench_delete.measure,
    "populate": bench_populate.measure,
    "preview": bench_preview.measure,
    "queue": bench_queue.measure,
    "flow": bench_flow.measure,
    "plan": bench_plan.measure,
    "queries": bench_queries.measure,
    "stream": bench_stream.measure,
    "validate": bench_validate.measure,
    "zarr": bench_zarr.measure,
    "npy": bench_npy.measure,
}


def main(arguments: Sequence[str]) -> int:
    """Print the table; the exit code tells whether a target was missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Print the benchmarks' figures."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; else all")
    parser.add_argument("--markdown", type=Path, metavar="PAGE", help="write the figures into this page, too")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"No benchmark is called {unknown[0]!r}. There are: {', '.join(BENCHMARKS)}")
    measured: dict[str, list[Row]] = {}
    with temporary_bench() as bench:
        for name in options.names or BENCHMARKS:
            print(f"running {name} ...", file=sys.stderr, flush=True)
            measured[name] = list(BENCHMARKS[name](bench))
    rows = [row for group in measured.values() for row in group]
    print(table(rows))
    if options.markdown:
        options.markdown.write_text(figures_page(measured), encoding="utf-8")
    return int(any(row.verdict is Verdict.MISSED for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
