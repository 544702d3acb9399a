"""Executors by the names that people give."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from djflow.errors import ExecutorError, did_you_mean
from djflow.executors.dask.executor import DaskExecutor
from djflow.executors.executor import Executor
from djflow.executors.processes.executor import ProcessesExecutor
from djflow.executors.serial import SerialExecutor
from djflow.executors.task import NO_RESOURCES, Setup, no_setup, nobody_asks
from djflow.executors.threads import ThreadsExecutor

if TYPE_CHECKING:
    from distributed import Client

Choice: TypeAlias = "str | Client"

NAMES = ("serial", "threads", "processes", "dask")


def executor_of(
    choice: Choice,
    *,
    workers: int | None = None,
    setup: Setup = no_setup,
    resources: Mapping[str, float] = NO_RESOURCES,
    should_stop: Callable[[], bool] = nobody_asks,
) -> Executor:
    """The executor that is meant by a name, by the address of a Dask scheduler, or by a Dask client.

    `workers` (default: one a processor) counts those of this machine; `serial` has one, whose tasks ask
    `should_stop`, for nobody can tell them.

    >>> executor_of("serial").slots, executor_of("threads", workers=3).slots
    (1, 3)
    """
    options: dict[str, Any] = {"setup": setup, "resources": resources}
    match choice:
        case "serial":
            return SerialExecutor(**options, should_stop=should_stop)
        case "threads":
            return ThreadsExecutor(workers or _processors(), **options)
        case "processes":
            return ProcessesExecutor(workers or _processors(), **options)
        case "dask":
            return DaskExecutor(workers=workers, **options)
        case str() if "://" not in choice:
            raise ExecutorError(f"There is no executor {choice!r}.{did_you_mean(choice, NAMES)}").suggest(
                f"Choose one of {', '.join(NAMES)}, a Dask client, or the address of a Dask scheduler."
            )
        case _:
            return DaskExecutor(choice, workers=workers, **options)


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
