"""In the scheduler: who began with which task.

Dask runs a task again when its worker died, or when a finished result was lost with one. Here every
worker asks before it begins, and a task is begun once.
"""

from contextlib import suppress
from typing import Any, Final

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

NAME: Final = "djflow-tasks-1"  # with the version of what it answers: a scheduler outlives programs
_NOBODY: Final = ""
_LAST_WORDS: Final = 1.0  # seconds


def topic_of(run: str) -> str:
    """Where the events of an executor's tasks are published."""
    return f"djflow-{run}"


def plugin_of(run: str) -> str:
    """What workers have for an executor."""
    return f"djflow-{run}"


class TaskKeeper(SchedulerPlugin):
    """Serves all executors of a scheduler; what it keeps of a task goes when Dask forgets the task."""

    name = NAME
    idempotent = True

    def __init__(self) -> None:
        self._clients: dict[str, str] = {}  # run -> client
        self._runs: dict[str, str] = {}  # key -> run
        self._workers: dict[str, str] = {}  # key -> the worker in whose hands it is

    async def start(self, scheduler: Scheduler) -> None:
        """Answer workers and clients."""
        self._scheduler = scheduler
        scheduler.handlers["djflow_enroll"] = self.enroll
        scheduler.handlers["djflow_begin"] = self.begin
        scheduler.handlers["djflow_withdraw"] = self.withdraw
        scheduler.handlers["djflow_forget"] = self.forget

    async def enroll(self, run: str, client: str) -> None:
        """An executor begins, and lives no longer than its client."""
        self._clients[run] = client

    async def begin(self, run: str, key: str, worker: str) -> bool:
        """Whether a worker may begin with a task: nobody did before, and it is the one to do it."""
        state = self._scheduler.tasks.get(key)
        chosen = state.processing_on.address if state is not None and state.processing_on else None
        if run not in self._clients or key in self._workers or chosen != worker:
            return False
        self._runs[key], self._workers[key] = run, worker
        self._scheduler.log_event(topic_of(run), ["started", key, worker.encode()])
        return True

    async def withdraw(self, run: str, keys: list[str]) -> list[str]:
        """Those of some tasks that have not begun; now they never will."""
        found = [key for key in keys if key not in self._workers]
        for key in found:
            self._runs[key], self._workers[key] = run, _NOBODY
        return found

    async def forget(self, run: str) -> None:
        """An executor ended: workers leave its set-up, and begin with no further task of it."""
        if self._clients.pop(run, None) is None:
            return
        for key in [key for key, of in self._runs.items() if of == run]:
            self._drop(key)
        # The client's last words come by another connection, and maybe later.
        self._scheduler.loop.call_later(_LAST_WORDS, self._forget_topic, topic_of(run))
        if self._scheduler.worker_plugins.pop(plugin_of(run), None) is not None:
            message = {"op": "plugin-remove", "name": plugin_of(run)}
            await self._scheduler.broadcast(msg=message, on_error="ignore")

    def transition(self, key: Any, start: str, finish: str, *_: Any, **__: Any) -> None:  # noqa: ARG002
        """Follow the tasks that somebody began with."""
        if key not in self._workers:
            return
        if finish == "forgotten":
            self._drop(key)
        elif finish == "memory":
            self._workers[key] = _NOBODY

    def remove_client(self, scheduler: Scheduler, client: str) -> None:
        """A program ended, maybe without a word."""
        for run in [run for run, of in self._clients.items() if of == client]:
            scheduler.loop.add_callback(self.forget, run)

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:
        """Tell of the tasks that a worker took with it."""
        for key in [key for key, of in self._workers.items() if of == worker]:
            self._workers[key] = _NOBODY
            scheduler.log_event(topic_of(self._runs[key]), ["lost", key, worker.encode()])

    def _forget_topic(self, topic: str) -> None:
        with suppress(AttributeError):  # a detail of Dask's, which keeps the last events of a topic for ever
            self._scheduler._broker._topics.pop(topic, None)  # noqa: SLF001

    def _drop(self, key: str) -> None:
        self._runs.pop(key, None)
        self._workers.pop(key, None)
