"""A worker process as seen from here, and what is found out of one that died."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from djflow.errors import ExecutorError, WorkerSetupError
from djflow.executors.events import Done, Ending, Event, Failed, WorkerLost
from djflow.executors.failure import shortened
from djflow.executors.pickling import unpacked
from djflow.executors.pool import Worker
from djflow.executors.processes.launch import launch, search_path
from djflow.executors.remote import told
from djflow.executors.task import Task

_LOOK: Final = 0.5  # seconds between looks whether a silent process lives: others may hold its pipe
_LEAVE: Final = 10.0  # seconds to leave a set-up
_HINTS: Final = {
    "SIGKILL": ", which the system does to the largest process when memory runs out",
    "SIGSEGV": ": a crash in compiled code",
}
_BEGINNINGS: Final = 5  # processes that may die in a row before they begin with a task


class Died(Exception):  # noqa: N818 - it is news, not a mistake
    """The process is gone."""


class LivingProcess:
    """A process that runs one task at a time, once it is ready."""

    name: str

    def __init__(self, setup: bytes) -> None:
        handle, self._crashes = tempfile.mkstemp(prefix="djflow-crash-")
        os.close(handle)
        self._lock = Lock()  # the pipe's writing end: tasks, and requests to stop
        try:
            self._process, self._pipe = launch()
        except OSError as error:
            Path(self._crashes).unlink()
            raise ExecutorError(f"No further process can be started: {error}") from error
        self.name = f"process {self._process.pid}"
        self._is_ready = False
        with suppress(OSError):  # if it is dead already, that is found when it should be ready
            self._pipe.send(search_path())
            self._pipe.send((self._crashes, setup))

    def wait_until_ready(self) -> None:
        """`WorkerSetupError` if the set-up raised, `Died` if it or something else ended the process."""
        if self._is_ready:
            return
        kind, data = self.receive()
        if kind == "not ready":
            self.close()
            raise unpacked(data)
        self._is_ready = True

    def send(self, kind: str, data: bytes = b"") -> None:
        """Say something; `Died` where nobody hears it."""
        try:
            with self._lock:
                self._pipe.send((kind, data))
        except OSError as error:
            raise Died from error

    def receive(self) -> tuple[str, bytes]:
        """What the process says next; `Died` if that is nothing."""
        try:
            while not self._pipe.poll(_LOOK):
                if self._process.poll() is not None and not self._pipe.poll(0):
                    raise Died
            kind, data = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Died from error
        return kind, data

    def kill(self) -> None:
        """End the process now."""
        self._process.kill()

    def close(self) -> None:
        """Let the process leave its set-up and end."""
        with suppress(Died):
            self.send("close")
        try:
            self._process.wait(_LEAVE)
        except subprocess.TimeoutExpired:
            self.kill()
        self.autopsy()

    def autopsy(self) -> tuple[str, str]:
        """How the process died, and where it was then."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:  # it lives, without its pipe
            self.kill()
            self._process.wait()
            reason = "closed its connection"
        else:
            reason = _how(code)
        self._pipe.close()
        path = Path(self._crashes)
        trace = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        path.unlink(missing_ok=True)
        return reason, shortened(trace)


class ProcessWorker(Worker):
    """Keeps a process for tasks, and starts another when it died."""

    def __init__(self, setup: bytes, packed_run: Callable[[Task], bytes]) -> None:
        self._setup = setup
        self._packed_run = packed_run
        self._living: LivingProcess | None = None
        self._lock = Lock()
        self._is_stopping = self._is_killed = False

    def run(self, task: Task, post: Callable[[Event], None]) -> Ending:
        """Run a task on the process."""
        data = self._packed_run(task)
        # A process may have died while it waited: a task that did not begin is given to another.
        for _ in range(_BEGINNINGS):
            ending = self._try(task, data, post)
            if not isinstance(ending, WorkerLost) or ending.began or self._is_killed:
                break
        return ending

    def _try(self, task: Task, data: bytes, post: Callable[[Event], None]) -> Ending:
        living, began = self._process(), False
        try:
            living.send("run", data)
            while True:
                event = told(task, *living.receive())
                if isinstance(event, Done | Failed):
                    return event
                began = True
                post(event)
        except Died:
            reason, trace = self._bury(living)
            return WorkerLost(task, living.name, f"The worker {reason}", began, trace)

    def ask_to_stop(self) -> None:
        """Tell the process."""
        with self._lock:
            self._is_stopping = True
            if self._living is not None:
                with suppress(Died):
                    self._living.send("stop")

    def kill(self) -> None:
        """End the process."""
        with self._lock:
            self._is_killed = True
            if self._living is not None:
                self._living.kill()

    def close(self) -> None:
        """Let the process end."""
        with self._lock:
            living, self._living = self._living, None
        if living is not None:
            living.close()

    def _process(self) -> LivingProcess:
        """A process that is ready. Whether the set-up ended it, or something else, can't be told at once."""
        for _ in range(_BEGINNINGS):
            living = self._living_or_new()
            try:
                living.wait_until_ready()
            except Died:
                reason, trace = self._bury(living)
                if self._is_killed:
                    break
            except WorkerSetupError:
                with self._lock:
                    self._living = None
                raise
            else:
                return living
        raise WorkerSetupError(f"A worker process could not be set up: it {reason}", trace)

    def _living_or_new(self) -> LivingProcess:
        with self._lock:
            if self._living is None:
                # Others may stop or kill it from here on, before it is ready.
                self._living = LivingProcess(self._setup)
                if self._is_killed:
                    self._living.kill()
                if self._is_stopping:
                    with suppress(Died):
                        self._living.send("stop")
            return self._living

    def _bury(self, living: LivingProcess) -> tuple[str, str]:
        with self._lock:
            self._living = None
        return living.autopsy()


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}."
    names = {number.value: number.name for number in signal.Signals}
    name = names.get(-code, f"signal {-code}")
    return f"was ended by {name}{_HINTS.get(name, '')}."
