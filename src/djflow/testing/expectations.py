"""What tests of executors wait for."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from djflow.executors import Done, Event, Executor, Failed, WorkerLost
from djflow.testing.tasks import LONG


def ending(executor: Executor, task_id: str) -> Event | None:
    """How a task ended, None where that is not told in time.

    >>> from djflow.executors import SerialExecutor
    >>> from djflow.executors import SerialExecutor, Task
    >>> from djflow.testing.tasks import Doubled
    >>> with SerialExecutor() as executor:
    ...     executor.submit(Task("a", Doubled(2)))
    ...     ending(executor, "a").result
    4
    """
    until = monotonic() + LONG
    while monotonic() < until:
        event = executor.next_event(1)
        if isinstance(event, Done | Failed | WorkerLost) and event.task.id == task_id:
            return event
    return None


@contextmanager
def raises(error: type[Exception]) -> Iterator[list[Exception]]:
    """Fail unless the block raises `error`, which the list has then.

    >>> with raises(KeyError) as caught:
    ...     {}["absent"]
    >>> caught
    [KeyError('absent')]
    """
    caught: list[Exception] = []
    try:
        yield caught
    except error as raised:
        caught.append(raised)
        return
    raise AssertionError(f"{error.__name__} was not raised")
