"""A million rows of six columns from a Polars frame."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Final

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row, as_size
from benchmarks.server import Bench
from benchmarks.timing import race, scaled

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

ROWS: Final = 1_000_000
PEER_ROWS: Final = 50_000
BATCH_ROWS: Final = 65_536


class Sample(dj.Manual):
    """The table that all sides fill."""

    definition = tables.SAMPLE


def measure(bench: Bench) -> Iterator[Row]:
    """Against COPY of what pgpq encodes in the same loop, COPY of bytes that lie ready, and DataJoint."""
    bench.schema(Sample)
    frame = tables.samples(scaled(ROWS))
    Sample().insert(frame[:10])
    table = Sample().full_table_name
    statement = f"COPY {table} FROM STDIN (FORMAT binary)"
    ready = list(encoded(frame))

    def empty() -> None:
        bench.run(f"TRUNCATE {table}")
        bench.run("CHECKPOINT")

    with closing(bench.connect()) as connection:

        def copy(payload: "Iterable[bytes]") -> None:
            with connection.cursor() as cursor, cursor.copy(statement) as sink:
                for piece in payload:
                    sink.write(piece)

        ours, encoding, bare = race(
            lambda: Sample().insert(frame), lambda: copy(encoded(frame)), lambda: copy(ready), prepare=empty
        )
    empty()
    name = "insert a frame"
    yield Row(name, ours, "COPY, encoded by pgpq", encoding, AtMost(1.2))
    yield Row(name, ours, "COPY of ready bytes", bare)
    peer = datajoint_times(bench, "insert", scaled(PEER_ROWS))
    yield peer.row("insert a frame, one row", ours / frame.height, "insert", FasterBy(25))
    yield memory_row(bench)


def encoded(frame: "pl.DataFrame") -> Iterator[bytes]:
    """The frame as PostgreSQL's binary COPY reads it: what nobody can do with less."""
    import pyarrow as pa
    from pgpq import ArrowToPostgresBinaryEncoder

    encoder = None
    for piece in frame.iter_slices(BATCH_ROWS):
        (batch,) = piece.to_arrow(compat_level=_oldest()).combine_chunks().to_batches()
        if encoder is None:
            encoder = ArrowToPostgresBinaryEncoder(batch.schema)
            yield encoder.write_header()
        assert isinstance(batch, pa.RecordBatch)
        yield encoder.write_batch(batch)
    assert encoder is not None
    yield encoder.finish()


def _oldest() -> "pl.CompatLevel":
    import polars as pl

    return pl.CompatLevel.oldest()  # pgpq does not know views


def memory_row(bench: Bench) -> Row:
    """The peak of a process that inserts a frame, over what it held before, against the frame's size."""
    command = [sys.executable, "-m", "benchmarks.insert_memory", str(bench.home), str(scaled(ROWS))]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    held = found["frame"] + found["growth"]
    return Row("insert a frame, peak memory", held, "the frame", found["frame"], AtMost(2), as_size)
