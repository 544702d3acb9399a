"""Keys of one table made by tasks of an executor: on threads, on processes, on a cluster."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol

from djflow.errors import DjflowError
from djflow.executors.events import Done, Event, Failed, WorkerLost
from djflow.executors.failure import Failure
from djflow.executors.sizing import Sizing
from djflow.executors.task import Task, TaskContext
from djflow.populate.outcome import Outcome
from djflow.populate.queue.holding import Claim
from djflow.populate.reserved import ReservedRun, Share
from djflow.populate.serial import run_serially
from djflow.populate.telling import with_key

if TYPE_CHECKING:
    from djflow.executors.executor import Executor
    from djflow.populate.tiers import AutoPopulated

_AHEAD: Final = 2  # tasks in flight, a slot
_POLL: Final = 0.5  # seconds
_MOST: Final = 256  # keys a task


@dataclass(frozen=True, slots=True)
class Batch:
    """Keys for one task; `claim` is what they were taken from the queue by."""

    keys: tuple[Mapping[str, Any], ...]
    claim: Claim | None = None


class Batches(Protocol):
    """Where keys come from, and who is told what became of them."""

    def take(self, most: int) -> Batch | None:
        """Some of the keys that are left; None where there are none now."""
        ...

    def is_over(self) -> bool:
        """Whether none will come any more, now that nothing is in flight; may wait for a moment."""
        ...

    def returned(self, batch: Batch) -> None:
        """A task came to its end, and has told what became of each key."""
        ...

    def lost(self, batch: Batch, reason: str) -> Sequence[tuple[Mapping[str, Any], BaseException]]:
        """A worker died with these; the keys that are given up, and why."""
        ...

    def give_back(self) -> None:
        """Nobody will make what was taken and has not returned."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """What a task sends home: numbers, and what went wrong with keys."""

    made: int
    skipped: int
    errors: tuple[tuple[Mapping[str, Any], Failure], ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Work:
    """What a task does: it makes the keys of a batch."""

    table: "type[AutoPopulated]"
    batch: Batch
    make_kwargs: Mapping[str, Any]

    def __call__(self, context: TaskContext) -> Report:
        """Make them; errors are told, not raised."""
        del context
        begun, table = time.perf_counter(), self.table()
        if self.batch.claim is None:
            keys = [dict(key) for key in self.batch.keys]
            outcome = run_serially(table, keys, self.make_kwargs, suppress_errors=True, advance=_nobody)
        else:
            run = ReservedRun(table, Share(), self.make_kwargs, suppress_errors=True, advance=_nobody)
            outcome = run.make(self.batch.claim)
        errors = tuple((key, Failure.of(error).travelling()) for key, error in outcome.errors)
        return Report(outcome.made, outcome.skipped, errors, time.perf_counter() - begun)


def _nobody(_: int) -> None:
    """Nobody watches what happens in a worker."""


class Spread:
    """One run: hands batches to an executor, no more than it can soon begin, and adds up what comes back."""

    def __init__(
        self,
        table: "AutoPopulated",
        batches: Batches,
        make_kwargs: Mapping[str, Any],
        *,
        suppress_errors: bool,
        advance: Callable[[int], object],
    ) -> None:
        self._table, self._batches, self._make_kwargs = type(table), batches, make_kwargs
        self._suppress, self._advance = suppress_errors, advance
        self._sizing, self._ids = Sizing(most=_MOST), count(1)
        self._running: dict[str, Batch] = {}
        self._outcome = Outcome()

    def run(self, executor: "Executor") -> Outcome:
        """Until no key is left. Raises the first error, unless errors are suppressed."""
        try:
            with executor:
                while True:
                    self._hand_out(executor)
                    if executor.in_flight:
                        self._note(executor.next_event(_POLL))
                    elif self._batches.is_over():
                        return self._outcome
        finally:
            self._batches.give_back()

    def _hand_out(self, executor: "Executor") -> None:
        while executor.in_flight < _AHEAD * executor.slots:
            batch = self._batches.take(self._sizing.keys(slots=executor.slots))
            if batch is None:
                return
            task = Task(
                f"{self._table.__name__} {next(self._ids)}", Work(self._table, batch, self._make_kwargs)
            )
            self._running[task.id] = batch
            executor.submit(task)

    def _note(self, event: Event | None) -> None:
        match event:
            case Done(task, Report() as report):
                batch = self._running.pop(task.id)
                self._batches.returned(batch)
                self._sizing = self._sizing.after(len(batch.keys), report.seconds)
                self._outcome.made += report.made
                self._outcome.skipped += report.skipped
                self._advance(report.made + report.skipped + len(report.errors))
                for key, failure in report.errors:
                    self._fail(key, _exception(failure))
            case Failed(task, failure):
                self._lose(task, f"{failure.kind}: {failure.message}")
            case WorkerLost(task, _, reason):
                self._lose(task, reason)

    def _lose(self, task: Task, reason: str) -> None:
        given_up = self._batches.lost(self._running.pop(task.id), reason)
        self._advance(len(given_up))
        for key, error in given_up:
            with_key(error, dict(key))
            self._fail(key, error)

    def _fail(self, key: Mapping[str, Any], error: BaseException) -> None:
        self._outcome.errors.append((dict(key), error))
        if not self._suppress:
            raise error


def _exception(failure: Failure) -> BaseException:
    if failure.exception is not None:
        return failure.exception
    error = DjflowError(f"{failure.kind}: {failure.message}")
    error.add_note(failure.traceback)
    return error
