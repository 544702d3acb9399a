"""Batches handed to an executor, no more than it can soon begin, and what comes back of them."""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from itertools import count
from typing import TYPE_CHECKING, Final, TypeAlias

from djflow.executors.events import Done, Failed, Started, WorkerLost
from djflow.executors.events import Event as TaskEvent
from djflow.executors.failure import Failure
from djflow.executors.sizing import Sizing
from djflow.executors.task import Task, nobody_asks
from djflow.pipeline.batches import Supply
from djflow.pipeline.calls import Calls
from djflow.pipeline.events import Began, Ended, Event
from djflow.pipeline.telling import with_key
from djflow.pipeline.work import Batch, Report, Work
from djflow.tables.linking import linking_modules

if TYPE_CHECKING:
    from djflow.executors.executor import Executor
    from djflow.pipeline.tiers import AutoPopulated

_AHEAD: Final = 2  # tasks in flight, a slot
_POLL: Final = 0.2  # seconds
_MOST: Final = 256  # keys a task
_MOST_IN_A_ROW: Final = 5  # tasks of a table that fail as a whole

Needs: TypeAlias = tuple[tuple[str, float], ...]
"""The resources that a task occupies."""


class Dispatch:
    """One run: an iterator of what happens, which does the work while it is read."""

    def __init__(self, supply: Supply, calls: Calls, should_stop: Callable[[], bool] = nobody_asks) -> None:
        self._supply, self._calls, self._should_stop = supply, calls, should_stop
        self._sizes: dict[type[AutoPopulated], Sizing] = {}
        self._ids = count(1)
        self._running: dict[str, Batch] = {}
        self._waiting_for = Counter[Needs]()
        self._slots = 1
        self._in_a_row: Counter[type[AutoPopulated]] = Counter()

    def run(self, executor: "Executor") -> Generator[Event, None, None]:
        """Until no key is left, or until asked to stop: then what runs comes to its end.

        Whoever closes the iterator ends the workers. What has not been made then is given back.
        """
        try:
            with executor:
                yield from self._go_on(executor)
                yield from self._wind_up(executor)
        finally:
            self._supply.give_back()

    def _go_on(self, executor: "Executor") -> Iterator[Event]:
        while not self._should_stop():
            self._hand_out(executor)
            yield from self._supply.news()
            if executor.in_flight:
                yield from self._note(executor.next_event(_POLL))
            elif (pause := self._supply.pause()) is None:
                return
            elif pause > 0:
                time.sleep(min(pause, _POLL))

    def _wind_up(self, executor: "Executor") -> Iterator[Event]:
        executor.stop()
        while executor.in_flight:
            yield from self._note(executor.next_event(_POLL))

    # out

    def _hand_out(self, executor: "Executor") -> None:
        self._slots = executor.slots
        while (batch := self._supply.take(self._size)) is not None:
            name, needs = batch.table.__name__, dict(batch.table.resources)
            task = Task(
                f"{name} {next(self._ids)}", Work(batch, self._calls, linking_modules(batch.table)), needs
            )
            self._running[task.id] = batch
            self._waiting_for[_needs(batch)] += 1
            executor.submit(task)

    def _size(self, table: "type[AutoPopulated]", waiting: int | None) -> int:
        """How many keys of a table the next task gets: none where enough wait for what it needs."""
        if self._waiting_for[tuple(table.resources.items())] >= _AHEAD * self._slots:
            return 0
        return self._sizes.setdefault(table, Sizing(most=_MOST)).keys(waiting, self._slots)

    # back

    def _note(self, event: TaskEvent | None) -> Iterator[Event]:
        match event:
            case Started(task, worker):
                batch = self._running[task.id]
                yield Began(batch.table, batch.keys, worker)
            case Done(task, Report() as report):
                yield self._ended(self._back(task), report)
            case Failed(task, failure):
                yield self._failed(task, failure)
            case WorkerLost(task, _, reason, _, trace):
                yield self._lost(task, f"{reason}\n{trace}".rstrip())

    def _back(self, task: Task) -> Batch:
        batch = self._running.pop(task.id)
        self._waiting_for[_needs(batch)] -= 1
        return batch

    def _ended(self, batch: Batch, report: Report) -> Event:
        self._in_a_row[batch.table] = 0
        put_off = len(batch.keys) - report.made - report.skipped - len(report.errors)
        self._supply.returned(batch, put_off, report.rows)
        self._sizes[batch.table] = self._sizes[batch.table].after(len(batch.keys), report.seconds)
        return Ended(
            batch.table,
            batch.keys,
            report.made,
            report.skipped,
            report.failed(),
            report.seconds,
            report.rows,
            report.nbytes,
        )

    def _failed(self, task: Task, failure: Failure) -> Event:
        """What a worker could not even tell the queue: keys come again, unless it goes on like this."""
        table = self._running[task.id].table
        self._in_a_row[table] += 1
        if self._in_a_row[table] > _MOST_IN_A_ROW:
            raise failure.as_error()
        return self._lost(task, str(failure))

    def _lost(self, task: Task, reason: str) -> Event:
        batch = self._back(task)
        given_up = self._supply.lost(batch, reason)
        for key, error in given_up:
            with_key(error, dict(key))
        return Ended(batch.table, batch.keys, failed=tuple(given_up))


def _needs(batch: Batch) -> Needs:
    return tuple(batch.table.resources.items())
