"""Tasks one after another, where the caller is."""

from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from djflow.executors.events import Done, Event, Failed, Message, Started
from djflow.executors.executor import Executor, attempt, closed, same_id
from djflow.executors.failure import Failure
from djflow.executors.setups import enter
from djflow.executors.task import NO_RESOURCES, Setup, Task, TaskContext, no_setup, nobody_asks
from djflow.executors.waiting import WaitingTasks


class SerialExecutor(Executor):
    """Runs a task when it is asked for what comes after `Started`; messages come when it has ended.

    `KeyboardInterrupt` is the caller's, and passes; the task stays in flight until `kill`.

    >>> from djflow.executors import Task
    >>> with SerialExecutor() as executor:
    ...     executor.submit(Task("t", lambda context: 6 * 7))
    ...     [type(event).__name__ for event in executor.events()]
    ['Started', 'Done']
    """

    def __init__(
        self,
        *,
        setup: Setup = no_setup,
        resources: Mapping[str, float] = NO_RESOURCES,
        should_stop: Callable[[], bool] = nobody_asks,
    ) -> None:
        """`should_stop` is how a task hears what it cannot be told while it has the thread."""
        self._setup, self._should_stop = setup, should_stop
        self._waiting = WaitingTasks(resources)
        self._events: deque[Event] = deque()
        self._unfinished: dict[str, Task] = {}
        self._stack = ExitStack()
        self._state: Any = None
        self._begun: Task | None = None
        self._is_set_up = False
        self._is_open = False
        self._stopping = False

    @property
    def slots(self) -> int:
        """One."""
        return 1

    @property
    def in_flight(self) -> int:
        """Tasks whose end has not been told."""
        return len(self._unfinished)

    def submit(self, task: Task) -> None:
        """Let a task wait for its turn."""
        if not self._is_open or self._stopping:
            raise closed()
        if task.id in self._unfinished:
            raise same_id(task.id)
        self._waiting.add(task)
        self._unfinished[task.id] = task

    def next_event(self, timeout: float | None = None) -> Event | None:  # noqa: ARG002 - nothing is waited for
        """The next event; where there is none yet, begin with a task, or run the one that was begun."""
        if not self._events:
            self._go_on()
        if not self._events:
            return None
        event = self._events.popleft()
        if isinstance(event, Done | Failed):
            del self._unfinished[event.task.id]
        return event

    def cancel_pending(self) -> tuple[Task, ...]:
        """Take back what has not run."""
        tasks = self._waiting.clear()
        for task in tasks:
            del self._unfinished[task.id]
        return tasks

    def stop(self) -> tuple[Task, ...]:
        """Take back what has not run; may be called by a signal handler, for the task that runs."""
        self._stopping = True
        return self.cancel_pending()

    def kill(self) -> tuple[Task, ...]:
        """Take back what has not run, and a task that was interrupted."""
        self._stopping = True
        self._waiting.clear()
        self._begun = None
        ended = {event.task.id for event in self._events if isinstance(event, Done | Failed)}
        lost = tuple(task for task in self._unfinished.values() if task.id not in ended)
        self._events = deque(event for event in self._events if event.task.id in ended)
        for task in lost:
            del self._unfinished[task.id]
        return lost

    def __enter__(self) -> Self:
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None and self._begun is not None:
                self._go_on()
        finally:
            self.kill()
            self._stack.close()

    def _go_on(self) -> None:
        if self._begun is not None:
            task, self._begun = self._begun, None
            self._run(task)
        elif (waiting := self._waiting.take()) is not None:
            if not self._is_set_up:
                self._state = enter(self._setup, self._stack)
                self._is_set_up = True
            self._begun = waiting
            self._events.append(Started(waiting, "serial"))

    def _run(self, task: Task) -> None:
        context = TaskContext(
            worker="serial",
            state=self._state,
            report=lambda payload: self._events.append(Message(task, payload)),
            should_stop=lambda: self._stopping or self._should_stop(),
        )
        try:
            outcome = attempt(task.run, context, passing=(KeyboardInterrupt,))
        finally:
            self._waiting.give_back(task)
        self._events.append(Failed(task, outcome) if isinstance(outcome, Failure) else Done(task, outcome))
