"""Tasks on threads of this process."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from threading import Event as Flag
from typing import Any

from djflow.executors.events import Done, Ending, Event, Failed, Message, Started
from djflow.executors.executor import attempt
from djflow.executors.failure import Failure
from djflow.executors.pool import PoolExecutor, Worker
from djflow.executors.setups import enter
from djflow.executors.task import NO_RESOURCES, Setup, Task, TaskContext, no_setup


class ThreadsExecutor(PoolExecutor):
    """Runs tasks on threads: for work that waits, or computes outside the interpreter lock.

    Each thread has a set-up of its own. A task that crashes the interpreter ends the whole program.

    >>> from djflow.executors import Task
    >>> with ThreadsExecutor(2) as executor:
    ...     executor.submit(Task("t", lambda context: 6 * 7))
    ...     [type(event).__name__ for event in executor.events()]
    ['Started', 'Done']
    """

    _patience = 1.0  # they cannot be killed: only those that heed `should_stop` end

    def __init__(
        self, workers: int, *, setup: Setup = no_setup, resources: Mapping[str, float] = NO_RESOURCES
    ) -> None:
        super().__init__(workers, resources)
        self._setup = setup
        self._stopping = Flag()

    def _worker(self, number: int) -> Worker:
        return _ThreadWorker(f"thread {number}", self._setup, self._stopping)


class _ThreadWorker(Worker):
    def __init__(self, name: str, setup: Setup, stopping: Flag) -> None:
        self._name = name
        self._setup = setup
        self._stopping = stopping
        self._stack = ExitStack()
        self._state: Any = None
        self._is_set_up = False

    def run(self, task: Task, post: Callable[[Event], None]) -> Ending:
        if not self._is_set_up:
            self._state = enter(self._setup, self._stack)
            self._is_set_up = True
        post(Started(task, self._name))
        context = TaskContext(
            worker=self._name,
            state=self._state,
            report=lambda payload: post(Message(task, payload)),
            should_stop=self._stopping.is_set,
        )
        outcome = attempt(task.run, context)
        return Failed(task, outcome) if isinstance(outcome, Failure) else Done(task, outcome)

    def ask_to_stop(self) -> None:
        self._stopping.set()

    def kill(self) -> None:
        """A thread cannot be ended: it was asked to stop, and nobody waits for it."""

    def close(self) -> None:
        self._stack.close()
