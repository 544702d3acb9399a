"""A few threads for work that waits for disks or runs outside the interpreter lock."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from djflow.storage.store import Store

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_THREADS: Final = 8
REMOTE_THREADS: Final = 32  # while a server answers, a thread only waits
_LONG: Final = 5e-4  # seconds an item; a local file takes a tenth of it
_PATIENCE: Final = 4e-3  # seconds beyond
_TASKS_A_THREAD: Final = 4
_MOST_A_TASK: Final = 16  # items


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


def map_many(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int = MAX_THREADS
) -> list[Result]:
    """As `map_threads`, for very many items: on threads only from where they have to wait for something.

    >>> map_many(abs, range(-3, 0))
    [3, 2, 1]
    """
    waiting = iter(items)
    results = list(while_quick(function, waiting))
    rest = list(waiting)
    # A task costs about what reading a small file does, so that each of many takes some items.
    step = max(1, min(_MOST_A_TASK, len(rest) // (_TASKS_A_THREAD * threads)))
    tasks = [rest[start : start + step] for start in range(0, len(rest), step)]
    for found in map_threads(lambda task: [function(item) for item in task], tasks, threads):
        results += found
    return results


def while_quick(function: Callable[[Item], Result], items: Iterator[Item]) -> Iterator[Result]:
    """`function(item)` of items until these have taken long: the rest is better given to threads.

    Threads that need the interpreter for most of their work mostly wait for each other.

    >>> items = iter([-1, 2])
    >>> list(while_quick(abs, items)), list(items)
    ([1, 2], [])
    """
    late = 0.0
    for item in items:
        begun = perf_counter()
        result = function(item)
        late = max(0.0, late + perf_counter() - begun - _LONG)
        yield result
        if late > _PATIENCE:
            return


def threads_for(stores: Iterable["Store"]) -> int:
    """How many threads work with some stores at once: many where they wait for a server.

    With this machine's files they mostly compute, and more of them than processors wait for each other.
    """
    is_remote = any(store.local_path("object") is None for store in stores)
    return REMOTE_THREADS if is_remote else min(MAX_THREADS, processors())


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
