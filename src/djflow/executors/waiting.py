"""Tasks that wait for a worker and for resources: a pure structure."""

from bisect import insort
from collections.abc import Mapping
from itertools import count

from djflow.errors import ExecutorError
from djflow.executors.task import NO_RESOURCES, Task


class WaitingTasks:
    """Tasks in order of priority, then of arrival; one that does not fit lets later ones pass.

    >>> tasks = WaitingTasks({"gpu": 1})
    >>> for name in "ab":
    ...     tasks.add(Task(name, print, {"gpu": 1}))
    >>> tasks.take().id, tasks.take()
    ('a', None)
    """

    def __init__(self, resources: Mapping[str, float] = NO_RESOURCES) -> None:
        self._total = dict(resources)
        self._used = dict.fromkeys(resources, 0.0)
        self._waiting: list[tuple[int, int, Task]] = []
        self._arrival = count()

    def add(self, task: Task) -> None:
        """Let a task wait; one that asks for more than there will ever be is refused."""
        self.check(task.resources)
        # The number of arrival is unique, so that tasks themselves are never compared.
        insort(self._waiting, (-task.priority, next(self._arrival), task))

    def check(self, resources: Mapping[str, float]) -> None:
        """Raise `ExecutorError` for more than there will ever be."""
        for name, amount in resources.items():
            if amount > self._total.get(name, 0):
                raise ExecutorError(
                    f"A task needs {amount:g} of {name!r}; this executor has {self._total.get(name, 0):g}."
                ).suggest(f"Give the executor resources={{{name!r}: {amount:g}}}.")

    def take(self) -> Task | None:
        """The next task, with its resources; None where none can begin."""
        for place, (_, _, task) in enumerate(self._waiting):
            if self._fits(task):
                del self._waiting[place]
                for name, amount in task.resources.items():
                    self._used[name] += amount
                return task
        return None

    def give_back(self, task: Task) -> None:
        """The resources of a task that was taken are free again."""
        for name, amount in task.resources.items():
            self._used[name] -= amount

    def clear(self) -> tuple[Task, ...]:
        """Take all, without resources."""
        tasks = tuple(task for _, _, task in self._waiting)
        self._waiting.clear()
        return tasks

    def _fits(self, task: Task) -> bool:
        return all(self._used[name] + amount <= self._total[name] for name, amount in task.resources.items())
