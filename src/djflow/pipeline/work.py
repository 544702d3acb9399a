"""Keys of one table as a task of an executor: what goes out, and what comes back."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from djflow.executors.failure import Failure
from djflow.executors.task import TaskContext
from djflow.pipeline.outcome import Outcome
from djflow.pipeline.queue.holding import Claim
from djflow.pipeline.reserved import ReservedRun, Share
from djflow.pipeline.serial import SerialRun
from djflow.pipeline.telling import with_key
from djflow.tables.linking import link

if TYPE_CHECKING:
    from djflow.pipeline.calls import Calls
    from djflow.pipeline.tiers import AutoPopulated


@dataclass(frozen=True, slots=True)
class Batch:
    """Keys for one task; `claim` is what they were taken from the queue by."""

    table: "type[AutoPopulated]"
    keys: tuple[Mapping[str, Any], ...]
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a task sends home: numbers, and what went wrong with keys."""

    made: int
    skipped: int
    errors: tuple[tuple[Mapping[str, Any], Failure], ...]
    seconds: float
    rows: int
    nbytes: int

    def failed(self) -> tuple[tuple[Mapping[str, Any], BaseException], ...]:
        """The keys that are errors, and what was raised."""
        return tuple((key, _error(key, failure)) for key, failure in self.errors)


@dataclass(frozen=True, slots=True)
class Work:
    """What a task does: it makes the keys of a batch."""

    batch: Batch
    calls: "Calls"
    modules: tuple[str, ...] = ()
    """What to import where the table's schema is named by another module than its own."""

    def __call__(self, context: TaskContext) -> Report:
        """Make them, until it is asked to stop; errors are told, not raised."""
        begun = time.perf_counter()
        link(self.batch.table, self.modules)
        table = self.batch.table()
        outcome = self._make(table, context.should_stop)
        errors = tuple((key, Failure.of(error)) for key, error in outcome.errors)
        seconds = time.perf_counter() - begun
        return Report(outcome.made, outcome.skipped, errors, seconds, outcome.rows, outcome.nbytes)

    def _make(self, table: "AutoPopulated", should_stop: Callable[[], bool]) -> Outcome:
        calls, claim = self.calls, self.batch.claim
        if claim is None:
            keys = [dict(key) for key in self.batch.keys]
            return SerialRun(table, calls, suppress_errors=True, should_stop=should_stop).run(keys)
        run = ReservedRun(table, Share(), calls, suppress_errors=True, should_stop=should_stop)
        return run.make(claim)


def _error(key: Mapping[str, Any], failure: Failure) -> BaseException:
    error = failure.as_error()
    if error is not failure.exception:  # which was told in the worker
        with_key(error, dict(key))
    return error
