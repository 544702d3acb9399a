"""What it takes to get from an expression of six operators to SQL; nothing is sent."""

from collections.abc import Iterator
from functools import partial
from itertools import count
from typing import Final

import djflow as dj
from benchmarks import star
from benchmarks.report import Row, limit
from benchmarks.server import Bench
from benchmarks.star import Tables
from benchmarks.timing import per_call, race
from djflow.engine.plan_cache import prepared

CALLS: Final = 200
COLD_LIMIT: Final = 1e-3
CACHED_LIMIT: Final = 50e-6


def measure(bench: Bench) -> Iterator[Row]:
    """Against fixed limits: of what was never seen before, and of what was planned already."""
    tables = star.declared(bench.schema, dj.Manual)
    numbers = count()

    def unseen() -> None:
        planned(tables, f"n{next(numbers)}", 0.5)

    def other_constant() -> None:
        planned(tables, "same", next(numbers) / 1000)

    existing = expression(tables, "same", 0.5).logical_plan
    cold, other, again, kept = race(
        *(
            per_call(action, CALLS)
            for action in (
                unseen,
                other_constant,
                partial(planned, tables, "same", 0.5),
                partial(prepared, existing),
            )
        )
    )
    name = "plan six operators"
    yield limit(f"{name}: new names each time", cold / CALLS, COLD_LIMIT)
    yield Row(f"{name}: built again with another constant", other / CALLS, "", None)
    yield limit(f"{name}: built again", again / CALLS, CACHED_LIMIT)
    yield limit(f"{name}: an expression that exists", kept / CALLS, CACHED_LIMIT)


def expression(tables: Tables, name: str, threshold: float) -> dj.Relation:
    """A join, two restrictions, a projection, a summary and the top of it."""
    subject, session, response = (tables[each] for each in ("Subject", "Session", "Response"))
    recent = (session * response & f"rt < {threshold}" & {"outcome": "hit"}).proj(
        **{f"{name}_speed": "1 / rt"}
    )
    summary = {f"{name}_n": f"count({name}_speed)", f"{name}_mean": f"avg({name}_speed)"}
    found: dj.Relation = subject.aggr(recent, **summary) & dj.Top(10, f"{name}_mean DESC")
    return found


def planned(tables: Tables, name: str, threshold: float) -> object:
    return prepared(expression(tables, name, threshold).logical_plan)
