"""What all executors do."""

from collections.abc import Iterator
from types import TracebackType
from typing import Protocol, Self, TypeVar

from djflow.errors import ExecutorError
from djflow.executors.events import Event
from djflow.executors.failure import Failure
from djflow.executors.task import Run, Task, TaskContext

Passing = TypeVar("Passing", bound=BaseException)


class Executor(Protocol):
    """Runs tasks and tells what becomes of them. Each is run at most once: the caller decides on more.

    A worker enters its set-up before its first task, and leaves it after its last; if that fails,
    `next_event` raises `WorkerSetupError`. Methods are called by one thread, and not by signal handlers.
    """

    @property
    def slots(self) -> int:
        """How many tasks can run at once; a caller keeps about twice as many in flight."""

    @property
    def in_flight(self) -> int:
        """How many tasks were submitted, and have not been told to have ended or cancelled."""

    def submit(self, task: Task) -> None:
        """Run a task as soon as there is room. It must be one that can get the resources it needs."""

    def next_event(self, timeout: float | None = None) -> Event | None:
        """Wait for something to happen, for at most `timeout` seconds; None where nothing did.

        Returns None at once where no task is in flight.
        """

    def cancel_pending(self) -> tuple[Task, ...]:
        """Take back the tasks that have not begun. No event tells of them."""

    def stop(self) -> tuple[Task, ...]:
        """As `cancel_pending`, and ask those that run to come to an end, of which events tell.

        No further task can be submitted.
        """

    def kill(self) -> tuple[Task, ...]:
        """End the workers now; returns the tasks whose end is not known. No event tells of them.

        Threads and workers of a cluster of others cannot be ended: what runs there is cut off, and asked
        to stop.
        """

    def events(self) -> Iterator[Event]:
        """All events until no task is in flight."""
        while self.in_flight:
            event = self.next_event()
            if event is not None:
                yield event

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the tasks that run, without the others; after an error, `kill`."""


def attempt(run: Run, context: TaskContext, passing: tuple[type[BaseException], ...] = ()) -> object:
    """What a task returns, or the `Failure` that it ended with; only exceptions of `passing` are raised."""
    try:
        return run(context)
    except passing:
        raise
    except BaseException as error:  # noqa: BLE001 - sys.exit() of a task, too, ends no more than the task
        return Failure.of(error)


def same_id(task_id: str) -> ExecutorError:
    """The error of a second task with the id of one in flight."""
    return ExecutorError(f"A task {task_id!r} is in flight already: ids must differ.")


def closed() -> ExecutorError:
    """The error of using an executor outside its block."""
    return ExecutorError("This executor is not running, or was stopped: use it inside `with`.")
