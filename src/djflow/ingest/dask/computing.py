"""Delayed pieces computed a few at a time: the next ones while those before them are written."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import islice
from threading import current_thread
from typing import TYPE_CHECKING, Any, Final, Protocol

from djflow.ingest.dask.pieces import parted

if TYPE_CHECKING:
    from dask.delayed import Delayed
    from distributed import Client

_POOL: Final = "djflow-dask"
_AHEAD: Final = 2  # pieces for each thread that computes
_HERE: Final = "synchronous"  # Dask's name for the thread that asks
_THREADS: Final = ("threads", "threading")
_CLUSTER: Final = ("distributed", "dask.distributed")


class _Pending(Protocol):
    """A piece that is being computed."""

    def result(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class _Computer:
    """What begins to compute a piece, how many it computes at once, and its name in Dask, if it needs one."""

    begin: "Callable[[Delayed], _Pending]"
    threads: int = 1
    scheduler: str | None = None


def results(pieces: "Sequence[Delayed]") -> Iterator[Any]:
    """What delayed pieces compute to, in their order, a few of them ahead of what is asked for.

    They are computed by the client that is active, if any, otherwise by threads, or as Dask's setting
    `scheduler` says; inside of a cluster's task, by that task. What several of them need is computed first.
    A piece's own exception is raised as it is, and those that were begun are given up.

    >>> from dask import delayed
    >>> list(results([delayed(abs)(-1), delayed(abs)(-2)]))
    [1, 2]
    """
    with ExitStack() as stack:
        computer = _computer(stack)
        left = parted(pieces, computer.scheduler)
        stack.callback(left.close)
        pending = deque(map(computer.begin, islice(left, computer.threads * _AHEAD)))
        stack.callback(pending.clear)  # a cluster stops what nobody waits for
        while pending:
            result = pending.popleft().result()
            pending.extend(map(computer.begin, islice(left, 1)))
            yield result


def _computer(stack: ExitStack) -> _Computer:
    import dask

    scheduler = dask.config.get("scheduler", None)
    client = _client(scheduler)
    if client is not None:
        return _Computer(_on(client), _threads_of(client))
    if _is_task():
        return _Computer(partial(_Later, scheduler=_HERE), scheduler=_HERE)
    if scheduler is None or scheduler in _THREADS:
        return _threads(stack)
    return _Computer(_Later)


def _client(scheduler: Any) -> "Client | None":
    """The client that the setting names, or the active one."""
    if "distributed" not in sys.modules:
        return None  # and nobody has made one
    import distributed

    if isinstance(scheduler, distributed.Client):
        return scheduler
    if _is_task() or (scheduler is not None and scheduler not in _CLUSTER):
        return None
    try:
        found: Client = distributed.Client.current()  # type: ignore[no-untyped-call]
    except ValueError:
        return None
    return found


def _is_task() -> bool:
    """Whether this runs on a worker, where waiting for other tasks could be waiting for oneself."""
    if "distributed" not in sys.modules:
        return False
    import distributed

    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def _on(client: "Client") -> "Callable[[Delayed], _Pending]":
    def begin(piece: "Delayed") -> _Pending:
        future: _Pending = client.compute(piece, optimize_graph=False)  # type: ignore[no-untyped-call]
        return future

    return begin


def _threads_of(client: "Client") -> int:
    """How many threads its workers have; without any yet, the first piece has to wait for one."""
    return max(1, sum(client.nthreads().values()))  # type: ignore[no-untyped-call]


def _threads(stack: ExitStack) -> _Computer:
    from dask.system import CPU_COUNT

    pool = ThreadPoolExecutor(CPU_COUNT, thread_name_prefix=_POOL)
    stack.callback(_shut_down, pool)
    return _Computer(lambda piece: pool.submit(_computed, piece, _HERE), CPU_COUNT)


def _shut_down(pool: ThreadPoolExecutor) -> None:
    """End a pool and wait for it, unless one of its own threads does so as it collects what nobody reads."""
    pool.shutdown(wait=not current_thread().name.startswith(_POOL), cancel_futures=True)


class _Later:
    """A piece that is computed when its result is asked for."""

    def __init__(self, piece: "Delayed", scheduler: str | None = None) -> None:
        self._piece, self._scheduler = piece, scheduler

    def result(self) -> Any:
        return _computed(self._piece, self._scheduler)


def _computed(piece: "Delayed", scheduler: str | None) -> Any:
    return piece.compute(scheduler=scheduler)  # type: ignore[no-untyped-call]
