"""Which tasks are in flight, and what has happened to them that nobody was told yet."""

from queue import Empty, SimpleQueue
from threading import Lock

from djflow.errors import ExecutorError
from djflow.executors.events import Done, Event, Failed, WorkerLost
from djflow.executors.executor import same_id
from djflow.executors.task import Task


class Ledger:
    """Tasks from their submission until their end is told; any thread may post events.

    The first end that is posted of a task counts; whatever comes after it, or after the task was taken
    back, is dropped.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._open: dict[str, Task] = {}
        self._untold = 0
        self._news: SimpleQueue[Event | ExecutorError | None] = SimpleQueue()
        self._broken: ExecutorError | None = None

    @property
    def in_flight(self) -> int:
        """How many tasks have not been told to have ended."""
        with self._lock:
            return len(self._open) + self._untold

    def enter(self, task: Task) -> None:
        """A task was submitted."""
        with self._lock:
            if task.id in self._open:
                raise same_id(task.id)
            self._open[task.id] = task

    def find(self, task_id: str) -> Task | None:
        """A task that has not ended."""
        with self._lock:
            return self._open.get(task_id)

    def post(self, event: Event) -> None:
        """Something happened."""
        with self._lock:
            if self._open.get(event.task.id) is not event.task:
                return
            if isinstance(event, Done | Failed | WorkerLost):
                del self._open[event.task.id]
                self._untold += 1
            self._news.put(event)

    def break_off(self, error: ExecutorError) -> None:
        """No task can end any more."""
        self._news.put(error)

    def take_back(self, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        """Forget tasks; returns those that had not ended."""
        with self._lock:
            found = tuple(task for task in tasks if self._open.pop(task.id, None) is not None)
        self._news.put(None)  # whoever waits looks whether there is still something to wait for
        return found

    def take_back_all(self) -> tuple[Task, ...]:
        """Forget all tasks that have not ended."""
        with self._lock:
            tasks = tuple(self._open.values())
        return self.take_back(tasks)

    def next_event(self, timeout: float | None) -> Event | None:
        """Wait for news; raises what broke the executor."""
        if self._broken is not None:
            raise self._broken
        news = None
        while news is None and (self.in_flight or not self._news.empty()):
            try:
                news = self._news.get(timeout=timeout)
            except Empty:
                return None
        if isinstance(news, ExecutorError):
            self._broken = news
            raise news
        if isinstance(news, Done | Failed | WorkerLost):
            with self._lock:
                self._untold -= 1
        return news
