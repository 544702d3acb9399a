"""Restriction by ten thousand keys that Python holds."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import race, scaled
from benchmarks.trial import ROWS, filled_trial

KEYS: Final = 10_000


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


def restricted(trial: type[dj.Manual], keys: Any) -> object:
    return (trial & keys).to_polars()
