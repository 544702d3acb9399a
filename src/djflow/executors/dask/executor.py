"""Tasks on a cluster."""

import logging
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self
from uuid import uuid4

from djflow.errors import ClusterLostError, ExecutorError, WorkerSetupError
from djflow.executors.dask.connection import Connection, Where
from djflow.executors.events import Done, Event, Failed, WorkerLost
from djflow.executors.executor import Executor, closed
from djflow.executors.failure import Failure
from djflow.executors.ledger import Ledger
from djflow.executors.pickling import packed, unpacked
from djflow.executors.remote import told
from djflow.executors.task import NO_RESOURCES, Setup, Task, no_setup
from djflow.executors.waiting import WaitingTasks

_LOGGER: Final = logging.getLogger(__name__)
_LOOK: Final = 0.5  # seconds between looks at the connection
_COUNT: Final = 2.0  # seconds between counts of the workers, which come and go
_GONE: Final = "The worker died, or left the cluster, while it ran the task."


class DaskExecutor(Executor):
    """Runs tasks on a Dask cluster: a client's, that of a scheduler's address, or an own one of processes.

    `workers` (default: one a processor) and `resources` (of each worker) are for the own cluster; those
    of another cluster are what its workers were started with. Dask would run a task of a dead worker
    again: here it becomes `WorkerLost`. Only events travel; no result stays in the cluster. Threads of
    one worker share its set-up.
    """

    def __init__(
        self,
        where: Where = None,
        *,
        workers: int | None = None,
        setup: Setup = no_setup,
        resources: Mapping[str, float] = NO_RESOURCES,
    ) -> None:
        self._where, self._count, self._resources = where, workers, resources
        self._setup = packed(setup, "The set-up of workers")
        self._run = uuid4().hex[:12]
        self._ledger = Ledger()
        self._tasks: dict[str, Task] = {}  # by Dask's key
        self._futures: dict[str, tuple[str, Any]] = {}  # by the task's id
        self._begun: dict[str, str] = {}  # the worker, by the task's id
        self._submitted = 0
        self._looked_for: set[tuple[tuple[str, float], ...]] = set()
        self._is_open = False
        self._counted = (0, -_COUNT)

    @property
    def slots(self) -> int:
        """Threads of all workers, at least one: they may come later."""
        threads, at = self._counted
        if monotonic() - at >= _COUNT:
            threads = sum(self._cluster.ask("ncores").values())
            self._counted = threads, monotonic()
        return max(1, threads)

    @property
    def in_flight(self) -> int:
        """Tasks whose end has not been told."""
        return self._ledger.in_flight

    def submit(self, task: Task) -> None:
        """Give a task to the scheduler, where it waits for a worker that has the resources."""
        from djflow.executors.dask.worker_side import perform

        if not self._is_open:
            raise closed()
        self._cluster.check()
        data = packed(task.run, f"Task {task.id!r}")
        self._look_for(task.resources)
        self._ledger.enter(task)
        self._submitted += 1
        key = f"djflow-{self._run}-{self._submitted}"
        self._tasks[key] = task
        future = self._cluster.client.submit(
            perform,
            self._run,
            key,
            data,
            key=key,
            pure=False,
            retries=0,
            priority=task.priority,
            resources=dict(task.resources) or None,
        )
        self._futures[task.id] = key, future
        future.add_done_callback(lambda future: self._dask_is_through(task, future))

    def _look_for(self, resources: Mapping[str, float]) -> None:
        """Tell once where tasks wait for workers that are yet to come."""
        asked = tuple(sorted(resources.items()))
        if not asked or asked in self._looked_for:
            return
        self._looked_for.add(asked)
        if self._cluster.has_worker_with(resources):
            return
        if self._where is None:
            WaitingTasks(self._resources).check(resources)
        else:
            _LOGGER.warning(
                "No worker of the cluster has %s: tasks wait until one comes that was started with it.",
                ", ".join(f"{name}={amount:g}" for name, amount in asked),
            )

    def next_event(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event; `ClusterLostError` where the scheduler is gone."""
        until = None if timeout is None else monotonic() + timeout
        while True:
            wait = _LOOK if until is None else max(0.0, min(_LOOK, until - monotonic()))
            event = self._ledger.next_event(wait)
            if event is not None:
                if isinstance(event, Done | Failed | WorkerLost):
                    self._release((event.task,))
                return event
            if not self.in_flight or (until is not None and monotonic() >= until):
                return None
            self._cluster.check()

    def cancel_pending(self) -> tuple[Task, ...]:
        """Take back the tasks with which no worker began."""
        keys = list(self._tasks)
        withdrawn = self._cluster.ask("djflow_withdraw", run=self._run, keys=keys) if keys else []
        tasks = tuple(self._tasks[key] for key in withdrawn)
        back = self._ledger.take_back(tasks)  # first: what Dask says of a released future is no news
        self._release(tasks)
        return back

    def stop(self) -> tuple[Task, ...]:
        """Take back the tasks with which no worker began, and ask the others to come to an end."""
        self._is_open = False
        tasks = self.cancel_pending()
        with suppress(ClusterLostError):  # a worker that does not answer would not stop either
            message = {"op": "djflow_stop", "run": self._run}
            self._cluster.ask("broadcast", msg=message, on_error="ignore")
        return tasks

    def kill(self) -> tuple[Task, ...]:
        """Take back all tasks; ends the workers if the cluster is our own."""
        self._is_open = False
        tasks = self._ledger.take_back_all()
        with suppress(ClusterLostError):
            self._cluster.ask("djflow_forget", run=self._run)
        self._release(tasks)
        self._cluster.kill_own_workers()
        return tasks

    def __enter__(self) -> Self:
        self._cluster = Connection(self._where, self._count, self._resources)
        try:
            self._install()
        except BaseException:
            self._cluster.close()
            raise
        self._is_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.cancel_pending()
                for _ in self.events():
                    pass
        finally:
            if error is not None:
                self.kill()
            self._leave()

    def _install(self) -> None:
        from djflow.executors.dask.scheduler_side import TaskKeeper, topic_of
        from djflow.executors.dask.worker_side import RunKeeper

        client = self._cluster.client
        try:
            client.register_plugin(TaskKeeper())
            self._cluster.ask("djflow_enroll", run=self._run, client=client.id)
            self._cluster.register(RunKeeper(self._run, self._setup))
        except (ImportError, AttributeError) as error:
            raise ExecutorError(f"The cluster cannot load djflow: {error}").suggest(
                "The scheduler and the workers need the same version of djflow as this program."
            ) from error
        client.subscribe_topic(topic_of(self._run), self._hear)

    def _leave(self) -> None:
        from djflow.executors.dask.scheduler_side import topic_of

        self._is_open = False
        with suppress(ClusterLostError):
            self._cluster.check()
            self._cluster.client.unsubscribe_topic(topic_of(self._run))
            self._cluster.ask("djflow_forget", run=self._run)
        self._cluster.close()

    def _release(self, tasks: tuple[Task, ...]) -> None:
        """Let Dask forget tasks."""
        for task in tasks:
            key, future = self._futures.pop(task.id, ("", None))
            self._tasks.pop(key, None)
            self._begun.pop(task.id, None)
            if future is not None:
                future.release()

    def _hear(self, event: Any) -> None:
        """What a worker or the scheduler tells, in the thread of the client."""
        _, (kind, key, data) = event
        task = self._tasks.get(key)
        if task is None:
            return
        if kind == "lost":
            self._ledger.post(WorkerLost(task, data.decode(), _GONE))
        elif kind == "not ready":
            error = unpacked(data)
            self._ledger.break_off(error if isinstance(error, WorkerSetupError) else ExecutorError(kind))
        else:
            if kind == "started":
                self._begun[task.id] = data.decode()
            self._ledger.post(told(task, kind, data))

    def _dask_is_through(self, task: Task, future: Any) -> None:
        """The end of what Dask knows; if nobody told how the task ended, nobody will."""
        if self._ledger.find(task.id) is not task:
            return
        error = future.exception() if future.status == "error" else None
        if error is not None and type(error).__name__ != "KilledWorker":
            self._ledger.post(Failed(task, Failure.of(error)))
            return
        try:
            self._cluster.check()
        except ClusterLostError as lost:
            self._ledger.break_off(lost)
            return
        worker = self._begun.get(task.id)
        reason = _GONE if worker else f"The cluster gave the task up: {error or future.status}"
        self._ledger.post(WorkerLost(task, worker or "", reason, began=worker is not None))
