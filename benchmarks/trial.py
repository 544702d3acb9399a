"""The table of a million trials that several benchmarks read."""

from typing import Final

import djflow as dj
from benchmarks import tables
from benchmarks.server import Bench
from benchmarks.timing import scaled

ROWS: Final = 1_000_000


def filled_trial(bench: Bench) -> type[dj.Manual]:
    """The class of the table, declared and filled at first use."""

    class Trial(dj.Manual):
        definition = tables.TRIAL

    bench.schema(Trial)
    if not Trial():
        Trial().insert(tables.trials(scaled(ROWS)))
        bench.run(f"VACUUM ANALYZE {Trial().full_table_name}")  # else it would run during the clock
    return Trial
