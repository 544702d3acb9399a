"""Ten thousand arrays of a thousand floats out of a column of blobs."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa
from adbc_driver_postgresql import dbapi

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import Action, race, scaled
from djflow.engine.compile import compile_plan
from djflow.storage.blob import arrow_values, unpack

ROWS: Final = 10_000
LENGTH: Final = 1_000
PREFIX: Final = len(b"ZL123\0") + 8  # what stands before the zlib stream: its mark and the length


class Counts(dj.Manual):
    """Traces that are stored compressed."""

    definition = tables.TRACE


class Noise(dj.Manual):
    """Traces that are stored as they are."""

    definition = tables.TRACE


def measure(bench: Bench) -> Iterator[Row]:
    """Against bare zlib where they are compressed, against decoding one by one where not."""
    for table, values in ((Counts, tables.counts), (Noise, tables.noise)):
        bench.schema(table)
        filled(bench, table, values(scaled(ROWS), LENGTH))
    with closing(dbapi.connect(bench.url, autocommit=True)) as connection:
        rows = (*compressed(connection), *plain(connection))
    yield from rows
    peer = datajoint_times(bench, "blobs")
    for row, task in ((rows[1], "compressed"), (rows[3], "plain")):
        assert row.measured is not None
        yield peer.row(row.name, row.measured, task, note=", to_arrays")


def filled(bench: Bench, table: type[dj.Manual], values: np.ndarray[Any, Any]) -> None:
    table().insert({"trace": number, "voltage": trace} for number, trace in enumerate(values))
    bench.run(f"VACUUM ANALYZE {table().full_table_name}")
    assert np.array_equal(table().to_polars()["voltage"].to_numpy(), values)


def compressed(connection: Any) -> Iterator[Row]:
    column = stored(Counts)
    streams = [blob[PREFIX:] for blob in column.to_pylist()]

    def inflated() -> object:
        return [zlib.decompress(stream) for stream in streams]

    decode, bare = race(lambda: to_polars(column), inflated, repeats=7)
    yield Row("blobs, compressed: decode", decode, "bare zlib", bare, AtMost(1.3))
    fetch = fetching(connection, Counts, lambda blob: zlib.decompress(blob[PREFIX:]))
    whole, fetched = race(Counts().to_polars, fetch)
    yield Row("blobs, compressed: fetch and decode", whole, "bare ADBC, bare zlib", fetched, AtMost(1.3))


def plain(connection: Any) -> Iterator[Row]:
    column = stored(Noise)
    blobs = column.to_pylist()
    decode, by_row = race(lambda: to_polars(column), lambda: stacked(map(unpack, blobs)), repeats=7)
    yield Row("blobs, plain: decode", decode, "row by row", by_row, FasterBy(10))
    whole, fetched = race(Noise().to_polars, fetching(connection, Noise, unpack))
    yield Row("blobs, plain: fetch and decode", whole, "bare ADBC, row by row", fetched)


def stored(table: type[dj.Manual]) -> pa.Array:
    """The column as it is in the database."""
    column = table().to_batches().read_all()["voltage"].combine_chunks()
    assert len(column) == scaled(ROWS)
    return column


def to_polars(column: pa.Array) -> object:
    decoded = arrow_values(column)
    assert decoded is not None
    return pl.from_arrow(decoded)


def stacked(arrays: Iterable[Any]) -> pl.Series:
    """The same column from arrays one by one, in the quickest way."""
    return pl.Series(np.stack(list(arrays)))


def fetching(connection: Any, table: type[dj.Manual], decode: Callable[[bytes], object]) -> Action:
    """Fetch a table by the bare driver, and decode its blobs one by one."""
    sql = compile_plan(table().logical_plan).statement.sql

    def fetch() -> object:
        with closing(connection.cursor()) as cursor:
            cursor.execute(sql)
            return [decode(blob) for blob in cursor.fetch_arrow_table()["voltage"].to_pylist()]

    return fetch
