"""`Table.jobs`: the queue of a table as people see it."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from djflow.backend.rows import control
from djflow.errors import DjflowError, InvalidArgumentError, QueryError
from djflow.model.table import Table as TableModel
from djflow.pipeline.queue.create import Place, drop_queue, find_queue
from djflow.pipeline.queue.glance import glance
from djflow.pipeline.queue.holding import Failure, Worker
from djflow.pipeline.queue.queue import Queue
from djflow.pipeline.queue.refresh import Due, refresh
from djflow.pipeline.queue.transitions import Status
from djflow.planner.nodes import Empty, Node, Scan
from djflow.relation.preview import Look, without_rows
from djflow.relation.universal import U
from djflow.sql import job_counts
from djflow.sql.jobs import queue_table
from djflow.tables.free import FreeTable

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated

_LAST_PRIORITY: Final = 32767


class Jobs(FreeTable):
    """The jobs of one table: a row a key that is to be computed, is being computed, or failed.

    A relation like any other: `Table.jobs & "priority < 3"`. It is empty as long as nothing was queued, and
    looking creates nothing. Its rows match those of the table and of the table's parents.
    """

    def __init__(self, table: "AutoPopulated") -> None:
        """`table` is the one that `make` fills."""
        self._target = table
        self._database, self._plan = table.connection, None

    @property
    def table_model(self) -> TableModel:
        """The queue's table, whether it exists or not."""
        place = self._place()
        return queue_table(self._target.table_model, "" if place is None else place.jobs.status_type)

    @property
    def logical_plan(self) -> Node:
        """All jobs, or those that conditions left."""
        return self._plan_at(self._place()) if self._plan is None else self._plan

    def _plan_at(self, place: Place | None) -> Node:
        target = self._target.table_model
        if place is None:
            return Empty(queue_table(target).heading)
        return Scan(queue_table(target, place.jobs.status_type))

    def _place(self) -> Place | None:
        self._database.ensure([self._target.table_model])
        return self._place_now()

    def _place_now(self) -> Place | None:
        """The same, creating nothing."""
        return find_queue(self._database.session, self._target.table_model)

    @cached_property
    def queue(self) -> Queue:
        """What workers use."""
        self._database.ensure([self._target.table_model])
        return Queue(self._target.table_model, self._database)

    # filling

    def refresh(
        self,
        *restrictions: Any,
        delay: float = 0,
        priority: int | None = None,
        stale_timeout: float | None = None,
        orphan_timeout: float | None = None,
    ) -> dict[str, int]:
        """Queue all keys of `key_source` that have no row and no job, and put right what is queued.

        `restrictions` narrow the keys. New jobs are due after `delay` seconds, those with a lower `priority`
        (by default that of the settings) before others. Returns how many jobs were

        - `added`;
        - `removed`: pending ones whose key is in the table, or is no longer in `key_source` and was queued
          more than `stale_timeout` seconds ago (by default as in the settings);
        - `orphaned`: taken from workers that were not heard of for the time of their lease, or that have
          none, such as DataJoint's, and reserved them more than `orphan_timeout` seconds ago (by default
          these are left to them);
        - `re_pended`: completed ones whose row is gone.
        """
        settings = self._database.settings.jobs
        due = Due(_priority(settings.default_priority if priority is None else priority), delay)
        stale = settings.stale_timeout if stale_timeout is None else stale_timeout
        done = refresh(
            self._target, self.queue, restrictions, due, stale_timeout=stale, orphan_timeout=orphan_timeout
        )
        return done.as_dict()

    # looking

    @property
    def pending(self) -> "Jobs":
        """Jobs that wait to be taken."""
        return self._of(Status.PENDING)

    @property
    def reserved(self) -> "Jobs":
        """Jobs that are being computed."""
        return self._of(Status.RESERVED)

    @property
    def errors(self) -> "Jobs":
        """Jobs that failed, with `error_message` and `error_stack`."""
        return self._of(Status.ERROR)

    @property
    def ignored(self) -> "Jobs":
        """Jobs that are passed over."""
        return self._of(Status.IGNORE)

    @property
    def completed(self) -> "Jobs":
        """Jobs that are done, where they are kept."""
        return self._of(Status.SUCCESS)

    def _of(self, status: Status) -> "Jobs":
        return self & {"status": str(status)}

    def progress(self) -> dict[str, int]:
        """The number of jobs of each status, and in `total`: at once, however many there are."""
        found = {Status(status): int(number) for status, number in self._counts()}
        counts = {str(status): found.get(status, 0) for status in Status}
        return {**counts, "total": sum(counts.values())}

    def _look(self) -> Look:
        return self._glance().titled(f"Jobs of {self._target.table_model.name.class_path}", "")

    def _glance(self) -> Look:
        try:
            if self._plan is not None:
                return glance(self._plan, self._database, None)
            place = self._place_now()
            return glance(self._plan_at(place), self._database, self._known_counts(place))
        except DjflowError as error:
            return without_rows(Empty(queue_table(self._target.table_model).heading), error)

    def _known_counts(self, place: Place | None) -> dict[str, int] | None:
        """The number of jobs of each status, where no jobs must be looked at for it."""
        if place is None:
            return {}
        return dict(self._counts_at(place)) if place.is_counted else None

    def _counts(self) -> list[tuple[Any, ...]]:
        if self._plan is not None:
            rows = U("status").aggr(self, n="count(*)").to_dicts()
            return [(row["status"], row["n"]) for row in rows]
        place = self._place()
        return [] if place is None else self._counts_at(place)

    def _counts_at(self, place: Place) -> list[tuple[Any, ...]]:
        name, session = place.jobs.name, self._database.session
        if place.is_counted:
            kept = job_counts.kept_counts(name.schema)
            return session.reading(lambda connection: control(connection, kept, [name.table]))
        return session.reading(lambda connection: control(connection, job_counts.scanned_counts(name), []))

    # single jobs

    def ignore(self, key: Mapping[str, Any]) -> None:
        """Have a key passed over from now on, whether it is queued or not.

        Raises `QueryError` for one that is being computed.
        """
        if not self.queue.ignore([key], self._database.settings.jobs.default_priority):
            raise QueryError(
                f"{dict(key)} is being computed: ignore it when that has ended, or delete its job."
            )

    def reserve(self, key: Mapping[str, Any]) -> bool:
        """Take a pending job that is due, without a lease; False where there is none."""
        return bool(self.queue.reserve([key], Worker.here()))

    def complete(self, key: Mapping[str, Any], duration: float | None = None) -> None:
        """Note that a reserved job is done, in `duration` seconds: it goes, or stays as the settings say."""
        self.queue.finish(key, duration, keep=self._database.settings.jobs.keep_completed)

    def error(self, key: Mapping[str, Any], error_message: str, error_stack: str | None = None) -> None:
        """Note why a reserved job failed; messages are cut after 2047 characters."""
        self.queue.fail(None, [Failure(key, error_message, error_stack)])

    def delete(
        self,
        transaction: bool = True,  # noqa: FBT001, FBT002 - as of other tables
        prompt: bool | None = None,  # noqa: FBT001
        part_integrity: str = "enforce",
        archive: Any = None,
    ) -> int:
        """Remove the jobs; nothing depends on them, so nobody is asked. Returns how many they were.

        The arguments are those of other tables and change nothing.
        """
        del transaction, prompt, part_integrity, archive
        return self.delete_quick(get_count=True) or 0

    def delete_quick(self, get_count: bool = False) -> int | None:  # noqa: FBT001, FBT002 - as of other tables
        """Remove the jobs. With `get_count`, returns how many they were."""
        if self._place() is None:
            return 0 if get_count else None
        return super().delete_quick(get_count=get_count)

    def drop(self, prompt: bool | None = None, part_integrity: str = "enforce") -> None:  # noqa: FBT001
        """Drop the queue, jobs included; nothing depends on it, so nobody is asked.

        Whoever needs a queue makes another one, without the errors and the keys to be passed over that were
        in this one. Nothing happens where there is none. The arguments are those of other tables and change
        nothing. Raises `InvalidArgumentError` for some of the jobs: `delete()` removes those.
        """
        del prompt, part_integrity
        if self._plan is not None:
            raise InvalidArgumentError("drop takes the whole queue; delete() removes the chosen jobs.")
        place = self._place()
        if place is not None:
            drop_queue(self._database.session, place.jobs.name)
        self.__dict__.pop("queue", None)  # which knows the one that there was


def _priority(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _LAST_PRIORITY:
        raise InvalidArgumentError(
            f"A priority is a whole number from 0, the most urgent, to {_LAST_PRIORITY}, not {given!r}."
        )
    return given
