"""A few threads for work that waits for disks or runs outside the interpreter lock."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_THREADS: Final = 8


def map_threads(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int = MAX_THREADS
) -> list[Result]:
    """`[function(item) for item in items]`, several at a time. The first error stops what has not begun.

    >>> map_threads(abs, [-1, 2])
    [1, 2]
    """
    if len(items) <= 1:
        return [function(item) for item in items]
    pool = ThreadPoolExecutor(min(threads, len(items)), thread_name_prefix="djflow-storage")
    try:
        return list(pool.map(function, items))
    finally:
        pool.shutdown(cancel_futures=True)


def split_range(count: int, smallest: int) -> list[range]:
    """`range(count)` in pieces of at least `smallest`, enough of them to keep every processor busy.

    >>> split_range(5, smallest=10)
    [range(0, 5)]
    """
    pieces = max(1, min(count // smallest, 2 * processors()))
    edges = [count * i // pieces for i in range(pieces + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


def processors() -> int:
    """How many processors there are."""
    return os.cpu_count() or 1
