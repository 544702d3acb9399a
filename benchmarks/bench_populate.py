"""Ten thousand keys with a trivial make(), with and without a queue, and a loop by hand of the same."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import race, scaled

KEYS: Final = 10_000
TOGETHER: Final = 64  # keys that the loop by hand claims and commits at a time


class Source(dj.Manual):
    """The keys."""

    definition = tables.SOURCE


class Result(dj.Computed):
    """Next to nothing for each of them, so that only the engine's own time counts."""

    definition = tables.RESULT.format(source="Source")

    def make(self, key: Mapping[str, Any]) -> None:
        """One row, made of its key."""
        self.insert1({**key, "twice": 2 * key["number"]})


def measure(bench: Bench) -> Iterator[Row]:
    """Against DataJoint, both serially, and against a loop by hand."""
    keys = scaled(KEYS)
    bench.schema(Source)
    bench.schema(Result)
    Source().insert({"number": number} for number in range(keys))
    assert len(Result().key_source) == keys

    def empty() -> None:
        bench.run(f"TRUNCATE {Result().full_table_name}")

    (directly,) = race(Result().populate, repeats=3, prepare=empty)
    (reserved,) = race(lambda: Result().populate(reserve_jobs=True), repeats=3, prepare=empty)
    assert len(Result()) == keys
    by_hand = loop_by_hand(bench, keys)
    peer = datajoint_times(bench, "populate", keys)
    yield peer.row("populate, one key", directly / keys, "populate", FasterBy(5))
    yield peer.row("populate with a queue, one key", reserved / keys, "populate", FasterBy(5))
    yield peer.row("populate with a queue, one key, reserved", reserved / keys, "reserved", FasterBy(10))
    yield Row(
        "populate with a queue, one key, by hand",
        reserved / keys,
        "a loop by hand",
        by_hand / keys,
        AtMost(6),
    )


def loop_by_hand(bench: Bench, keys: int) -> float:
    """Claim some keys, insert their rows, complete the claim and commit, all by psycopg alone."""
    result = Result().full_table_name
    bench.run("CREATE TABLE bench.queue (number int PRIMARY KEY, status text DEFAULT 'pending')")
    bench.run("CREATE INDEX ON bench.queue (status)")

    def fill() -> None:
        bench.run(f"TRUNCATE {result}")
        bench.run("TRUNCATE bench.queue")
        bench.run(f"INSERT INTO bench.queue SELECT n FROM generate_series(0, {keys - 1}) n")

    claim = (
        "UPDATE bench.queue SET status = 'reserved' WHERE number IN (SELECT number FROM bench.queue "
        f"WHERE status = 'pending' LIMIT {TOGETHER} FOR UPDATE SKIP LOCKED) RETURNING number"
    )

    def loop() -> None:
        with bench.connect() as connection:
            while claimed := [number for (number,) in connection.execute(claim)]:
                twice = [2 * number for number in claimed]
                with connection.transaction():
                    connection.execute(
                        f"INSERT INTO {result} SELECT * FROM unnest(%s::int[], %s::int[])", [claimed, twice]
                    )
                    connection.execute("DELETE FROM bench.queue WHERE number = ANY(%s)", [claimed])

    (taken,) = race(loop, repeats=3, prepare=fill)
    return taken
