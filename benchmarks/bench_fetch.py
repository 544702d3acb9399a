"""Rows out: a whole table to Polars, and one row by its key."""

from collections.abc import Iterator
from typing import Any

import djflow as dj
from benchmarks import tables
from benchmarks.peer import datajoint_times
from benchmarks.report import AtMost, FasterBy, Row
from benchmarks.server import Bench
from benchmarks.timing import per_call, race, scaled
from djflow.engine.compile import compile_plan

CALLS = 300


class Trial(dj.Manual):
    definition = tables.TRIAL


def declared(bench: Bench) -> type[Trial]:
    """The table with its million rows, made at first use."""
    if Trial.table_model is None or not Trial:
        pass
    return Trial
