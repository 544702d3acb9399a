"""Ten thousand arrays of 64 KB in a store, written and read as a column; and a column that nobody reads."""

from collections.abc import Iterator
from typing import Final

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row, as_size
from benchmarks.server import Bench
from benchmarks.store_names import BUCKET, FOLDER
from benchmarks.stores import StoredBench, stored_bench
from benchmarks.timing import memory, race, reset_peak_memory, scaled, seconds

ARRAYS: Final = 10_000
REFERENCES: Final = 100_000
FASTER: Final = FasterBy(5)
BOUND: Final = 100_000_000  # bytes
PATIENCE: Final = 600.0  # seconds

_FILL: Final = """
INSERT INTO {traced} SELECT *, jsonb_build_object(
    'path', '_schema/bench_npy/traced/session=' || session || '/trial=' || trial || '/trace_Ab3dEf9h.npy',
    'store', '{store}',
    'dtype', 'float64', 'shape', jsonb_build_array(8192), 'size', 65664, 'checksum', md5(trial::text))
FROM {trial}
"""


class Folder(dj.Manual):
    """Arrays in a folder."""

    definition = tables.ARRAY.format(store=FOLDER)


class Bucket(dj.Manual):
    """Arrays in a bucket."""

    definition = tables.ARRAY.format(store=BUCKET)


class Trial(dj.Manual):
    """Trials."""

    definition = tables.TRIAL


class Traced(dj.Manual):
    """Trials with a reference each."""

    definition = tables.TRIAL + f"trace : <npy@{FOLDER}>\n"


def measure(bench: Bench) -> Iterator[Row]:
    """Against DataJoint's `<npy@>`, and against the same frame without the column."""
    with stored_bench(bench, "bench_npy") as stored:
        for table in (Folder, Bucket, Trial, Traced):
            stored.schema(table)
        for table, store in ((Folder, FOLDER), (Bucket, BUCKET)):
            yield from against_datajoint(bench, stored, table(), store)
        yield from unread(stored)


def against_datajoint(bench: Bench, stored: StoredBench, table: dj.Manual, store: str) -> Iterator[Row]:
    count = scaled(ARRAYS)
    written = seconds(lambda: table.insert(tables.arrays(count)))
    column = table.to_polars()["trace"]
    assert len(column) == count
    before = memory("VmRSS")
    reset_peak_memory()

    def read() -> int:
        return sum(array.shape[0] for array in dj.StoredColumn(column).iter(memory=BOUND))

    (taken,) = race(read, repeats=3)
    grown = memory("VmHWM") - before
    peer = datajoint_times(
        bench, "npy", count, int(store == BUCKET), patience=PATIENCE, stores=stored.variable()
    )
    yield peer.row(f"write arrays, {store}", written, "write", FASTER)
    yield peer.row(f"read arrays, {store}", taken, "read", FASTER)
    yield Row(f"read arrays, {store}: memory beyond", grown, "the bound", BOUND, AtMost(2), as_size)


def unread(stored: StoredBench) -> Iterator[Row]:
    """References of which no object exists, so that reading one would fail."""
    count = scaled(REFERENCES)
    Trial().insert(tables.trials(count))
    fill = _FILL.format(traced=Traced().full_table_name, trial=Trial().full_table_name, store=FOLDER)
    stored.schema.connection.query(fill)
    for table in (Trial, Traced):
        stored.schema.connection.query(f"VACUUM ANALYZE {table().full_table_name}")
    assert Traced().to_polars()["trace"].struct["size"].sum() == 65664 * count
    with_it, without = race(Traced().to_polars, Trial().to_polars, repeats=7)
    yield Row("fetch a frame with a store's column", with_it, "without the column", without, AtMost(1.2))
