"""Threads of this process, each of which minds one worker."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from threading import Condition, Thread
from time import monotonic
from types import TracebackType
from typing import ClassVar, Protocol, Self

from djflow.errors import ExecutorError
from djflow.executors.events import Ending, Event
from djflow.executors.executor import Executor, closed
from djflow.executors.failure import Failure
from djflow.executors.ledger import Ledger
from djflow.executors.task import Task
from djflow.executors.waiting import WaitingTasks


class Worker(Protocol):
    """Runs one task at a time, in the thread that minds it."""

    def run(self, task: Task, post: Callable[[Event], None]) -> Ending:
        """Run a task, post its events and return the last. Raises `ExecutorError` if it cannot work."""

    def ask_to_stop(self) -> None:
        """What runs should come to an end; called by another thread."""

    def kill(self) -> None:
        """End now, if that can be done; called by another thread."""

    def close(self) -> None:
        """Leave what was set up."""


class PoolExecutor(Executor):
    """What executors with a fixed number of workers share."""

    _patience: ClassVar[float] = 10.0
    """Seconds for killed workers to be gone."""

    def __init__(self, workers: int, resources: Mapping[str, float]) -> None:
        if workers < 1:
            raise ExecutorError(f"An executor needs at least one worker, not {workers}.")
        self._count = workers
        self._ledger = Ledger()
        self._waiting = WaitingTasks(resources)
        self._changed = Condition()
        self._workers: list[Worker] = []
        self._threads: list[Thread] = []
        self._is_open = False
        self._is_killed = False

    @abstractmethod
    def _worker(self, number: int) -> Worker:
        """A worker that has not begun."""

    def _prepare(self, task: Task) -> None:
        """Look whether a task can be run, before it waits."""

    @property
    def slots(self) -> int:
        """The number of workers."""
        return self._count

    @property
    def in_flight(self) -> int:
        """Tasks whose end has not been told."""
        return self._ledger.in_flight

    def submit(self, task: Task) -> None:
        """Let a task wait for a worker."""
        if not self._is_open:
            raise closed()
        self._ledger.enter(task)
        try:
            self._prepare(task)
            with self._changed:
                self._waiting.add(task)
                self._changed.notify()
        except ExecutorError:
            self._ledger.take_back((task,))
            raise

    def next_event(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event."""
        return self._ledger.next_event(timeout)

    def cancel_pending(self) -> tuple[Task, ...]:
        """Take back the tasks that no worker has."""
        with self._changed:
            tasks = self._waiting.clear()
        return self._ledger.take_back(tasks)

    def stop(self) -> tuple[Task, ...]:
        """Take back the tasks that no worker has, and ask those that run to come to an end."""
        with self._changed:
            self._is_open = False
            self._changed.notify_all()
        for worker in self._workers:
            worker.ask_to_stop()
        return self.cancel_pending()

    def kill(self) -> tuple[Task, ...]:
        """Take back all tasks and end the workers."""
        with self._changed:
            self._is_killed = True
        tasks = self._ledger.take_back_all()
        for worker in self._workers:
            worker.kill()
        self.stop()
        return tasks

    def __enter__(self) -> Self:
        self._workers = [self._worker(number) for number in range(self._count)]
        self._threads = [
            # They end with the interpreter, however long a task of theirs takes.
            Thread(target=self._mind, args=(worker,), name=f"djflow-worker-{number}", daemon=True)
            for number, worker in enumerate(self._workers)
        ]
        self._is_open = True
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.kill()
        with self._changed:
            self._is_open = False
            self._waiting.clear()
            self._changed.notify_all()
        until = monotonic() + self._patience if self._is_killed else None
        for thread in self._threads:
            thread.join(None if until is None else max(0.0, until - monotonic()))

    def _mind(self, worker: Worker) -> None:
        try:
            while (task := self._next_task()) is not None:
                try:
                    self._ledger.post(worker.run(task, self._ledger.post))
                finally:
                    with self._changed:
                        self._waiting.give_back(task)
                        self._changed.notify_all()
        except ExecutorError as error:
            self._break_off(error)
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it, and wait for ever
            self._break_off(ExecutorError(f"A worker cannot go on: {Failure.of(error)}"))
        finally:
            worker.close()

    def _break_off(self, error: ExecutorError) -> None:
        if not self._is_killed:  # otherwise nobody wants to know
            self._ledger.break_off(error)

    def _next_task(self) -> Task | None:
        with self._changed:
            while True:
                task = self._waiting.take()
                if task is not None:
                    return task
                if not self._is_open:
                    return None
                self._changed.wait()
