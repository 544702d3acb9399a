"""Analytic queries over a star of five million rows, each to Polars."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import djflow as dj
from benchmarks import star
from benchmarks.filled_star import filled_star
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row, Target
from benchmarks.server import Bench
from benchmarks.star_peers import (
    DuckDb,
    Fetch,
    HandWritten,
    Ibis,
    duckdb_or_reason,
    hand_written,
    ibis_or_reason,
)
from benchmarks.timing import race

if TYPE_CHECKING:
    import polars as pl

PATIENCE: Final = 120  # seconds that DataJoint has for a query
ROUNDS: Final = 3
OURS: Final = "djflow"
HAND: Final = "SQL by hand"

Others = Mapping[str, Ibis | DuckDb | str]


@dataclass(frozen=True, slots=True)
class Raced:
    """The seconds of each side by name, and the number of rows that all of them gave."""

    seconds: Mapping[str, float]
    height: int


def measure(bench: Bench) -> Iterator[Row]:
    """Against SQL by hand over bare ADBC, Ibis, DuckDB's scanner and DataJoint."""
    tables = filled_star(bench)
    with ExitStack() as stack:
        hand = stack.enter_context(hand_written(bench))
        others: Others = {
            "Ibis": stack.enter_context(ibis_or_reason(bench)),
            "DuckDB's scanner": stack.enter_context(duckdb_or_reason(bench)),
        }
        found, rows = {}, []
        for name in star.QUERIES:
            found[name] = raced(tables, name, hand, others)
            rows += [*query_rows(f"query: {name}", found[name]), datajoint_row(bench, name, found[name])]
    yield from rows
    yield total(found, HAND, AtMost(1.05))
    for peer, target in (("Ibis", FasterBy(1)), ("DuckDB's scanner", None)):
        side = others[peer]
        yield reason(found, side, target) if isinstance(side, str) else total(found, peer, target)


def raced(tables: SimpleNamespace, name: str, hand: HandWritten, others: Others) -> Raced:
    """The times of a query, after all sides have shown that they give the same rows."""
    sides: dict[str, Fetch] = {OURS: partial(fetched, tables, name), HAND: hand.fetch(name)}
    ours = sides[OURS]()
    same_rows(ours, sides[HAND](), name)
    sides |= {peer: side.fetch(name) for peer, side in others.items() if not isinstance(side, str)}
    heights = {peer: side().height for peer, side in sides.items()}
    assert set(heights.values()) == {ours.height}, f"{name}: {heights}"
    times = race(*sides.values(), repeats=ROUNDS)
    return Raced(dict(zip(sides, times, strict=True)), ours.height)


def fetched(tables: SimpleNamespace, name: str) -> "pl.DataFrame":
    """The rows of a query that is written anew."""
    frame: pl.DataFrame = star.QUERIES[name](dj, tables).to_polars()
    return frame


def same_rows(ours: "pl.DataFrame", hand: "pl.DataFrame", name: str) -> None:
    """Refuse a comparison of different things; means of floats may differ in their last digits."""
    from polars.testing import assert_frame_equal

    try:
        assert_frame_equal(ours, hand)
    except AssertionError as error:
        error.add_note(f"The rows of the query {name!r} differ from those of its SQL by hand.")
        raise


def query_rows(name: str, found: Raced) -> Iterator[Row]:
    """A query beside each peer that shares this process."""
    for peer, seconds in found.seconds.items():
        if peer != OURS:
            yield Row(name, found.seconds[OURS], peer, seconds)


def datajoint_row(bench: Bench, name: str, found: Raced) -> Row:
    """A query beside DataJoint's one run, in a process that is stopped when it takes too long."""
    number = list(star.QUERIES).index(name)
    peer = datajoint_times(bench, "query", number, patience=PATIENCE)
    same = peer.seconds.get("rows", found.height) == found.height
    note = "" if same else f", {peer.seconds['rows']:g} rows instead of {found.height}"
    return peer.row(f"query: {name}", found.seconds[OURS], "query", FasterBy(1), note=note)


def total(found: Mapping[str, Raced], peer: str, target: Target | None) -> Row:
    """All queries together."""
    ours, theirs = (sum(one.seconds[side] for one in found.values()) for side in (OURS, peer))
    return Row(f"all {len(found)} queries", ours, peer, theirs, target)


def reason(found: Mapping[str, Raced], why: str, target: Target | None) -> Row:
    """All queries together, beside a peer that is not there."""
    return Row(
        f"all {len(found)} queries", sum(one.seconds[OURS] for one in found.values()), why, None, target
    )
