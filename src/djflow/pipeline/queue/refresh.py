"""Bring a queue in step with its table: what is missing is queued, what is done or gone is not."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from djflow.errors import DuplicateError
from djflow.pipeline.keys import missing as missing_keys
from djflow.pipeline.keys import wanted
from djflow.pipeline.queue.queue import Queue
from djflow.pipeline.queue.statements import change, write_keys
from djflow.pipeline.queue.transitions import Event, Status
from djflow.planner.nodes import Scan
from djflow.relation.relation import Relation
from djflow.sql import job_changes as sql
from djflow.sql.job_changes import Change, JobTable
from djflow.sql.jobs import queue_table

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many jobs were added, removed, taken from those who held them, and made pending again."""

    added: int
    removed: int
    orphaned: int
    re_pended: int

    def as_dict(self) -> dict[str, int]:
        """The numbers by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Due:
    """When the jobs that are added are due: `delay` in seconds, and the lower the priority the sooner."""

    priority: int
    delay: float = 0


def refresh(
    table: "AutoPopulated",
    queue: Queue,
    restrictions: tuple[Any, ...],
    due: Due,
    *,
    stale_timeout: float,
    orphan_timeout: float | None = None,
) -> Refreshed:
    """Queue the missing keys, and put right what is queued; see `Jobs.refresh`."""
    orphaned = sum(queue.expire(orphan_timeout))
    removed = _withdraw(table, queue, stale_timeout)
    re_pended = _repend(table, queue, restrictions, due)
    added = fill(table, queue, restrictions, due)  # last, so that nothing else looks at what it adds
    return Refreshed(added, removed, orphaned, re_pended)


def fill(table: "AutoPopulated", queue: Queue, restrictions: tuple[Any, ...], due: Due) -> int:
    """Queue the keys that are neither in the table nor queued, in one statement; how many."""
    try:
        return _fill(table, queue, restrictions, due, sql.fill)
    except DuplicateError:  # others do the same
        return _fill(table, queue, restrictions, due, sql.fill_what_is_left)


def _fill(
    table: "AutoPopulated",
    queue: Queue,
    restrictions: tuple[Any, ...],
    due: Due,
    statement: Callable[[JobTable, Change, str, int], str],
) -> int:
    jobs = queue.jobs
    missing = missing_keys(table, restrictions) - _queued(queue)
    return write_keys(
        missing,
        jobs,
        queue.database.session,
        lambda rows, n: statement(jobs, change(Event.REFRESH), rows, n),
        due.priority,
        float(due.delay),
    )


def _repend(table: "AutoPopulated", queue: Queue, restrictions: tuple[Any, ...], due: Due) -> int:
    jobs = queue.jobs
    gone = missing_keys(table, restrictions) & _queued(queue, Status.SUCCESS)
    return write_keys(
        gone,
        jobs,
        queue.database.session,
        lambda rows, n: sql.repend(jobs, change(Event.REFRESH), rows, n),
        due.priority,
        float(due.delay),
    )


def _withdraw(table: "AutoPopulated", queue: Queue, stale_timeout: float) -> int:
    """Remove jobs of keys that were made without them, and after a while those of keys nobody wants."""
    jobs, pending = queue.jobs, _queued(queue, Status.PENDING)

    def remove(keys: Relation, age: float) -> int:
        return write_keys(
            keys,
            jobs,
            queue.database.session,
            lambda rows, n: sql.withdraw(jobs, change(Event.WITHDRAW), rows, n),
            float(age),
        )

    unwanted = pending - wanted(table, ())
    return remove(unwanted, stale_timeout) + remove(pending & table.proj(), 0)


def _queued(queue: Queue, status: Status | None = None) -> Relation:
    """The keys of jobs, of all or those of one status."""
    every = Relation(Scan(queue_table(queue.target, queue.jobs.status_type)), queue.database)
    return every.proj() if status is None else (every & {"status": str(status)}).proj()
