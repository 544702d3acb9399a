"""A million rows of six columns, checked before they are inserted."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import djflow as dj
from benchmarks import tables
from benchmarks.report import Row, limit
from benchmarks.server import Bench
from benchmarks.timing import race, scaled

if TYPE_CHECKING:
    import polars as pl

ROWS: Final = 1_000_000
MOST: Final = 1.0  # seconds for a million rows


class Sample(dj.Manual):
    """The table that the rows are for."""

    definition = tables.SAMPLE


def measure(bench: Bench) -> Iterator[Row]:
    """Good rows in order and shuffled, rows a tenth of which are wrong, and what the server knows of them."""
    bench.schema(Sample)
    frame = tables.samples(scaled(ROWS))
    shuffled, wrong = frame.sample(fraction=1, shuffle=True, seed=1), spoilt(frame)
    Sample().insert(frame[:10])
    good, mixed, bad, asked = race(
        lambda: Sample().validate(frame),
        lambda: Sample().validate(shuffled),
        lambda: Sample().validate(wrong),
        lambda: Sample().validate(frame, database=True),
    )
    most = MOST * scaled(ROWS) / ROWS
    yield limit("validate a frame", good, most)
    yield limit("validate a shuffled frame", mixed, most)
    yield Row("validate a frame with wrong rows", bad, "all rows right", good)
    yield Row("validate a frame with the server", asked, "without", good)


def spoilt(frame: "pl.DataFrame") -> "pl.DataFrame":
    """The frame with a label too long in every tenth row, and every hundredth key repeated."""
    import polars as pl

    number = pl.int_range(pl.len())
    return frame.with_columns(
        sample=pl.when(number % 100 == 0).then(0).otherwise("sample"),
        label=pl.when(number % 10 == 0).then(pl.lit("x" * 30)).otherwise("label"),
    )
