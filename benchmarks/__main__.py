"""Run the benchmarks and print their figures as one table.

`python -m benchmarks` runs all, `python -m benchmarks fetch insert` some of them.
DJFLOW_BENCH_SCALE multiplies all sizes; the targets are meant for 1.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
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
    bench_queries,
    bench_queue,
    bench_restrict,
    bench_start,
    bench_stream,
    bench_validate,
    bench_zarr,
)
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
    "queue": bench_queue.measure,
    "flow": bench_flow.measure,
    "plan": bench_plan.measure,
    "queries": bench_queries.measure,
    "stream": bench_stream.measure,
    "validate": bench_validate.measure,
    "zarr": bench_zarr.measure,
    "npy": bench_npy.measure,
}


def main(names: Sequence[str]) -> int:
    """Print the table; the exit code tells whether a target was missed."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"No benchmark is called {unknown[0]!r}. There are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    with temporary_bench() as bench:
        for name in names or BENCHMARKS:
            print(f"running {name} ...", file=sys.stderr, flush=True)
            rows += BENCHMARKS[name](bench)
    print(table(rows))
    return int(any(row.verdict is Verdict.MISSED for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
