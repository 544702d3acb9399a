"""Restriction by ten thousand and by a million keys that Python holds."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from typing import Any, Final

import polars as pl
from adbc_driver_postgresql import dbapi
from polars.testing import assert_frame_equal

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import race, scaled
from benchmarks.trial import ROWS, filled_trial
from djflow.engine.compile import compile_plan

KEYS: Final = 10_000


class Event(dj.Manual):
    """Rows with a key of one column."""

    definition = tables.SAMPLE


def measure(bench: Bench) -> Iterator[Row]:
    """Keys in a list of dicts and in a frame, against DataJoint, which takes the list."""
    trial = filled_trial(bench)
    rows, count = scaled(ROWS), scaled(KEYS)
    frame = tables.some_keys(rows, count)
    dicts = frame.to_dicts()
    assert len(trial & frame) == len(trial & dicts) == frame.height
    by_dicts, by_frame = race(partial(restricted, trial, dicts), partial(restricted, trial, frame))
    peer = datajoint_times(bench, "restrict", rows, count)
    yield peer.row("restrict by a list of keys", by_dicts, "restrict", FasterBy(100), note=", list")
    yield peer.row("restrict by a frame of keys", by_frame, "restrict", FasterBy(100), note=", list")
    yield from many_keys(bench, trial)
    bench.schema(Event)
    if not Event():
        Event().insert(tables.samples(rows))
        bench.run(f"VACUUM ANALYZE {Event().full_table_name}")
    yield from many_keys(bench, Event)


def many_keys(bench: Bench, table: type[dj.Manual]) -> Iterator[Row]:
    """As many keys as the table has rows, half of which it has, against a temporary table by hand."""
    frame = tables.keys_and_strangers(table().to_polars().select(table().primary_key))
    with closing(dbapi.connect(bench.url, autocommit=True)) as connection:
        by_hand = partial(joined_to_temporary, connection, table, frame)
        assert_frame_equal(restricted(table, frame), by_hand())
        ours, hand = race(partial(restricted, table, frame), by_hand, repeats=3)
    name = f"restrict by {frame.height:,} keys, {frame.width} column{'s' * (frame.width > 1)}"
    yield Row(name, ours, "temporary table, bare ADBC", hand, AtMost(1.2))


def joined_to_temporary(connection: Any, table: type[dj.Manual], keys: pl.DataFrame) -> pl.DataFrame:
    """The rows of some keys, as one would write it for the bare driver."""
    names = ", ".join(keys.columns)
    sql = compile_plan(table().logical_plan).statement.sql
    with closing(connection.cursor()) as cursor:
        cursor.execute("DROP TABLE IF EXISTS pg_temp.wanted")
        cursor.adbc_ingest("wanted", keys.to_arrow(), mode="create", temporary=True)
        cursor.execute("ANALYZE pg_temp.wanted")
        cursor.execute(f"SELECT * FROM ({sql}) AS t JOIN pg_temp.wanted USING ({names})")
        rows = pl.from_arrow(cursor.fetch_arrow_table())
    assert isinstance(rows, pl.DataFrame)
    return rows.sort(keys.columns)


def restricted(table: type[dj.Manual], keys: Any) -> pl.DataFrame:
    rows: pl.DataFrame = (table & keys).to_polars()
    return rows
