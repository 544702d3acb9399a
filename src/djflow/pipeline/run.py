"""One call of a table's `populate`."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from djflow.errors import InvalidArgumentError, QueryError
from djflow.pipeline.bar import bar, no_bar
from djflow.pipeline.batches import ClaimedBatches, ListedBatches, Supply
from djflow.pipeline.calls import Calls
from djflow.pipeline.dispatch import Dispatch
from djflow.pipeline.events import Ended
from djflow.pipeline.interrupts import Stopping
from djflow.pipeline.keys import missing, wanted
from djflow.pipeline.log import log
from djflow.pipeline.outcome import Outcome
from djflow.pipeline.queue.heart import Heart
from djflow.pipeline.reserved import ReservedRun, Share
from djflow.pipeline.serial import SerialRun
from djflow.relation.database import Database
from djflow.tables.write import is_making

if TYPE_CHECKING:
    from djflow.executors.choose import Choice
    from djflow.executors.executor import Executor
    from djflow.pipeline.tiers import AutoPopulated


@dataclass(frozen=True, slots=True)
class Run:
    """How keys are made: by an executor, or by this thread where there is none."""

    table: "AutoPopulated"
    calls: Calls
    executor: "Executor | None"
    stopping: Stopping
    suppress_errors: bool
    is_shown: bool

    def of_missing(self, restrictions: tuple[Any, ...], max_calls: int | None) -> Outcome:
        """Make the keys that are missing now."""
        keys = missing(self.table, restrictions).keys(limit=max_calls)
        with self._bar(lambda: len(keys)) as advance:
            if self.executor is not None:
                return self._dispatched(self.executor, ListedBatches(type(self.table), keys), advance)
            return SerialRun(
                self.table,
                self.calls,
                suppress_errors=self.suppress_errors,
                advance=advance,
                should_stop=self.stopping.is_asked,
            ).run(keys)

    def of_queue(self, restrictions: tuple[Any, ...], share: Share) -> Outcome:
        """Make what the queue has."""
        if restrictions:
            share = replace(share, among=wanted(self.table, restrictions))
        with self._bar(lambda: len(self.table.jobs.pending)) as advance:
            if self.executor is None:
                return ReservedRun(
                    self.table,
                    share,
                    self.calls,
                    suppress_errors=self.suppress_errors,
                    advance=advance,
                    should_stop=self.stopping.is_asked,
                ).run()
            check_workers_see(self.table.connection)
            with Heart(self.table.connection.settings.jobs.lease) as heart:
                return self._dispatched(self.executor, ClaimedBatches(self.table, share, heart), advance)

    def _dispatched(self, executor: "Executor", supply: Supply, advance: Callable[[int], object]) -> Outcome:
        outcome = Outcome()
        dispatch = Dispatch(supply, self.calls, self.stopping.is_asked)
        with closing(dispatch.run(executor)) as events:
            for event in events:
                log(event)
                if isinstance(event, Ended):
                    advance(event.made + event.skipped + len(event.failed))
                    outcome.add_ended(event)
                    if not self.suppress_errors:
                        event.raise_first()
        return outcome

    def _bar(self, total: Callable[[], int]) -> AbstractContextManager[Callable[[int], object]]:
        return bar(type(self.table).__name__, total()) if self.is_shown else no_bar()


def chosen(
    executor: "Choice | None", processes: int, workers: int | None, stopping: Stopping
) -> "Executor | None":
    """The executor that arguments of `populate` mean; None for the thread that calls it.

    Raises `InvalidArgumentError` for fewer than one process.
    """
    check_count("processes", processes, least=1)
    check_count("workers", workers, least=1)
    if executor is None and processes == 1:
        return None
    from djflow.executors import executor_of

    workers = workers or (processes if processes > 1 else None)
    return executor_of(executor or "processes", workers=workers, should_stop=stopping.is_asked)


def check_count(name: str, number: int | None, *, least: int) -> None:
    """Raise `InvalidArgumentError` for a number that is too small, or none at all."""
    if number is None:
        return
    if isinstance(number, bool) or not isinstance(number, int) or number < least:
        raise InvalidArgumentError(f"{name} is a whole number from {least}, not {number!r}.")


def check_not_within(tables: "Iterable[AutoPopulated]") -> None:
    """Raise `QueryError` within a `make` of any of the tables, whose key it would wait for, or call again."""
    for table in tables:
        if is_making(table.table_model.name):
            name = type(table).__name__
            raise QueryError(
                f"A make of {name} cannot populate {name}: its own key is not made yet."
            ).suggest("Populate other tables in it, or this one after it.")


def check_workers_see(database: Database) -> None:
    """Raise `QueryError` inside a transaction, of which workers see nothing."""
    if database.in_transaction:
        raise QueryError(
            "Workers have connections of their own, which do not see the jobs of this transaction."
        ).suggest("Populate after it, or without an executor.")
