"""A thousand keys with a trivial make()."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import Row
from benchmarks.server import Bench
from benchmarks.timing import race, scaled

KEYS: Final = 1_000


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
    """Against DataJoint, both serially."""
    keys = scaled(KEYS)
    bench.schema(Source)
    bench.schema(Result)
    Source().insert({"number": number} for number in range(keys))
    assert len(Result().key_source) == keys

    def empty() -> None:
        bench.run(f"TRUNCATE {Result().full_table_name}")

    (ours,) = race(Result().populate, repeats=3, prepare=empty)
    yield datajoint_times(bench, "populate", keys).row("populate, one key", ours / keys, "populate")
