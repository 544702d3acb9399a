"""In a worker: the set-up of each executor that uses it, and its tasks."""

import signal
from contextlib import ExitStack
from threading import Event as Flag
from threading import Lock, current_thread, main_thread
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.utils import sync

from djflow.errors import WorkerSetupError
from djflow.executors.dask.scheduler_side import plugin_of, topic_of
from djflow.executors.pickling import packed
from djflow.executors.remote import enter_packed, run_packed
from djflow.executors.task import TaskContext


class RunKeeper(WorkerPlugin):
    """What a worker has for one executor. It is set up by the first task, and left when nothing runs."""

    name: str
    stopping: Flag

    def __init__(self, run: str, setup: bytes) -> None:
        self.name = plugin_of(run)
        self._run = run
        self._setup = setup

    def setup(self, worker: Worker) -> None:
        """Begin on a worker, which is quick: tasks wait for the set-up, the worker's heartbeat doesn't."""
        self._worker = worker
        self._lock = Lock()
        self._stack = ExitStack()
        self._state: Any = None
        self._is_set_up = self._is_ended = False
        self._active = 0
        self.stopping = Flag()
        worker.handlers["djflow_stop"] = self.ask_to_stop

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - as Dask calls it
        """The executor or the worker ends."""
        self.stopping.set()
        with self._lock:
            self._is_ended = True
            self._leave_if_idle()

    async def ask_to_stop(self, run: str) -> None:
        """What of an executor runs here, of this one or another, should come to an end."""
        keeper = self._worker.plugins.get(plugin_of(run))
        if isinstance(keeper, RunKeeper):
            keeper.stopping.set()

    def perform(self, key: str, data: bytes) -> None:
        """Run a task, if nobody did before."""
        try:
            with self._lock:
                if self._is_ended:
                    return
                if not self._is_set_up:
                    self._state = enter_packed(self._setup, self._stack)
                    self._is_set_up = True
                self._active += 1
        except WorkerSetupError as error:
            self._tell("not ready", key, packed(error, "An error"))
            return
        try:
            self._run_task(key, data)
        finally:
            with self._lock:
                self._active -= 1
                self._leave_if_idle()

    def _run_task(self, key: str, data: bytes) -> None:
        worker = self._worker
        # The scheduler itself answers, so that a crash right after it is known to be the task's.
        if not sync(
            worker.loop, worker.scheduler.djflow_begin, run=self._run, key=key, worker=worker.address
        ):
            return
        context = TaskContext(
            worker=worker.address,
            state=self._state,
            report=lambda payload: self._tell("message", key, packed(payload, "What a task reports")),
            should_stop=self.stopping.is_set,
        )
        kind, ending = run_packed(data, context)
        self._tell(kind, key, ending)

    def _tell(self, kind: str, key: str, data: bytes) -> None:
        self._worker.log_event(topic_of(self._run), [kind, key, data])

    def _leave_if_idle(self) -> None:
        if self._is_ended and not self._active:
            self._stack.close()


class IgnoreInterrupts(WorkerPlugin):
    """For workers of an own cluster: an interrupt at the terminal is for the program that made them."""

    name = "djflow-ignore-interrupts"

    def setup(self, worker: Worker) -> None:  # noqa: ARG002 - as Dask calls it
        """Let it pass, without having it ignored by programs that a task starts."""
        if current_thread() is main_thread():
            signal.signal(signal.SIGINT, lambda *_: None)


def perform(run: str, key: str, data: bytes) -> None:
    """The function that Dask runs; what comes of a task is told as events, not as a result."""
    keeper = get_worker().plugins.get(plugin_of(run))
    if isinstance(keeper, RunKeeper):  # otherwise the executor ended
        keeper.perform(key, data)
