"""One call of `populate`."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from djflow.errors import InvalidArgumentError
from djflow.populate.bar import bar, no_bar
from djflow.populate.batches import ClaimedBatches, ListedBatches
from djflow.populate.keys import missing, wanted
from djflow.populate.outcome import Outcome
from djflow.populate.reserved import ReservedRun, Share
from djflow.populate.serial import run_serially
from djflow.populate.spread import Spread

if TYPE_CHECKING:
    from djflow.executors.choose import Choice
    from djflow.executors.executor import Executor
    from djflow.populate.tiers import AutoPopulated


@dataclass(frozen=True, slots=True)
class Run:
    """How keys are made: by an executor, or by this thread where there is none."""

    table: "AutoPopulated"
    make_kwargs: Mapping[str, Any]
    executor: "Executor | None"
    suppress_errors: bool
    is_shown: bool

    def of_missing(self, restrictions: tuple[Any, ...], max_calls: int | None) -> Outcome:
        """Make the keys that are missing now."""
        keys = missing(self.table, restrictions).keys(limit=max_calls)
        with self._bar(lambda: len(keys)) as advance:
            if self.executor is None:
                return run_serially(
                    self.table, keys, self.make_kwargs, suppress_errors=self.suppress_errors, advance=advance
                )
            return self._spread(ListedBatches(keys), advance).run(self.executor)

    def of_queue(self, restrictions: tuple[Any, ...], share: Share) -> Outcome:
        """Make what the queue has."""
        if restrictions:
            share = replace(share, among=wanted(self.table, restrictions))
        with self._bar(lambda: len(self.table.jobs.pending)) as advance:
            if self.executor is None:
                return ReservedRun(
                    self.table,
                    share,
                    self.make_kwargs,
                    suppress_errors=self.suppress_errors,
                    advance=advance,
                ).run()
            with ClaimedBatches(self.table.jobs.queue, share) as batches:
                return self._spread(batches, advance).run(self.executor)

    def _spread(self, batches: ListedBatches | ClaimedBatches, advance: Callable[[int], object]) -> Spread:
        return Spread(
            self.table, batches, self.make_kwargs, suppress_errors=self.suppress_errors, advance=advance
        )

    def _bar(self, total: Callable[[], int]) -> AbstractContextManager[Callable[[int], object]]:
        return bar(type(self.table).__name__, total()) if self.is_shown else no_bar()


def chosen(executor: "Choice | None", processes: int, workers: int | None) -> "Executor | None":
    """The executor that arguments of `populate` mean; None for the thread that calls it.

    Raises `InvalidArgumentError` for fewer than one process.
    """
    if processes < 1 or (workers is not None and workers < 1):
        raise InvalidArgumentError("One process or worker is the least that can compute.")
    if executor is None and processes == 1:
        return None
    from djflow.executors import executor_of

    return executor_of(executor or "processes", workers=workers or (processes if processes > 1 else None))
