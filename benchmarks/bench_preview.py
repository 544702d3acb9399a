"""Previews, as a terminal and a notebook show them, of ten million rows and of expressions over them."""

from collections.abc import Iterator
from typing import Final

import djflow as dj
from benchmarks.report import Row, limit
from benchmarks.server import Bench
from benchmarks.timing import race, scaled

ROWS: Final = 10_000_000
MOST: Final = 0.05  # seconds, of one preview
_FILL: Final = """
INSERT INTO {table} SELECT n, n % 1000, n / 7.0, 'label ' || n, '\\x00ff'::bytea
FROM generate_series(1, {rows}) n
"""


class Reading(dj.Manual):
    """Ten million of them, with a value of bytes in each."""

    definition = """
    reading : int32
    ---
    x : int32
    y : float64
    label : varchar(40)
    raw : bytes
    """


def measure(bench: Bench) -> Iterator[Row]:
    """A table before and after the server knows it, expressions over it, and the page of a notebook."""
    bench.schema(Reading)
    table = Reading()
    table.connection.ensure([table.table_model])
    bench.run(_FILL.format(table=table.full_table_name, rows=scaled(ROWS)))
    (unknown,) = race(lambda: repr(table))
    yield limit("preview of a table, not analysed", unknown, MOST)
    bench.run(f"ANALYZE {table.full_table_name}")
    computed = (table & "x > 3").proj(double="x * 2")
    latest = table & dj.Top(limit=1_000_000, order_by="reading DESC")
    whole, derived, top, html = race(
        lambda: repr(table), lambda: repr(computed), lambda: repr(latest), table._repr_html_
    )
    yield limit("preview of a table", whole, MOST)
    yield limit("preview of a restriction and a projection", derived, MOST)
    yield limit("preview of the latest rows", top, MOST)
    yield limit("preview of a table as HTML", html, MOST)
