"""How often, how long, and how large: medians of warm runs without the garbage collector."""

import gc
import os
from collections.abc import Callable
from contextlib import suppress
from statistics import median
from time import perf_counter
from typing import Final

SCALE_VARIABLE: Final = "DJFLOW_BENCH_SCALE"

Action = Callable[[], object]


def scale() -> float:
    """The factor of all sizes, 1 by default."""
    return float(os.environ.get(SCALE_VARIABLE, "1"))


def scaled(size: int) -> int:
    """A size times the scale, ten at least.

    >>> scaled(0)
    10
    """
    return max(10, int(size * scale()))


def nothing() -> None:
    """No preparation."""


def seconds(action: Action) -> float:
    """The time of one call; what it returns is dropped after the clock has stopped."""
    gc.collect()
    gc.disable()
    try:
        begin = perf_counter()
        result = action()
        elapsed = perf_counter() - begin
    finally:
        gc.enable()
    del result
    return elapsed


def race(*actions: Action, repeats: int = 5, prepare: Action = nothing) -> list[float]:
    """The median time of each action in seconds, after one warm-up of each.

    The actions take turns, so that a slow moment of the machine strikes them alike, and change their
    order each round, so that none always runs on what another left behind.
    `prepare` runs before each call, outside of the time.
    """
    times: list[list[float]] = [[] for _ in actions]
    for round_ in range(repeats + 1):
        turns = list(enumerate(actions))
        for index, action in turns if round_ % 2 else reversed(turns):
            prepare()
            elapsed = seconds(action)
            if round_:
                times[index].append(elapsed)
    return [median(found) for found in times]


def per_call(action: Action, calls: int) -> Action:
    """An action that calls another many times, for what is too short to be timed alone."""

    def repeated() -> None:
        for _ in range(calls):
            action()

    return repeated


def reset_peak_memory() -> None:
    """Have the kernel forget this process's peak; where it cannot, the peak is that of its whole life."""
    with suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write("5")


def memory(field: str) -> int:
    """Bytes of resident memory as Linux tells them: `VmRSS` is now, `VmHWM` the peak."""
    with open("/proc/self/status", encoding="ascii") as file:  # noqa: PTH123
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) * 1024
