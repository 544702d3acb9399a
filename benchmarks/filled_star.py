"""The star of tables, declared with djflow and filled at first use."""

from functools import cache
from types import SimpleNamespace
from typing import Final

import djflow as dj
from benchmarks import star
from benchmarks.server import Bench

SUBJECTS_AT_ONCE: Final = 20


@cache
def filled_star(bench: Bench) -> SimpleNamespace:
    """The classes of the star as attributes."""
    classes = star.declared(bench.schema, dj.Manual)
    for name, frame in star.dimensions():
        classes[name]().insert(frame)
    for first in range(0, star.SUBJECTS, SUBJECTS_AT_ONCE):
        classes["Response"]().insert(star.responses(range(first, first + SUBJECTS_AT_ONCE)))
    for cls in classes.values():
        bench.run(f"VACUUM ANALYZE {cls().full_table_name}")  # else it would run during the clock
    return SimpleNamespace(**classes)
