"""What a worker process does: tasks come by its pipe, one at a time, and their events go back.

To the child: `(b"", traceback file, set-up)` once, then `(kind, data)` with kind `run`, `stop` or `close`.
From it: `ready` or `not ready` once; then for each task `started`, any `message`, and `done` or `failed`.
"""

import faulthandler
import os
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event as Flag
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from djflow.errors import WorkerSetupError
from djflow.executors.pickling import packed
from djflow.executors.remote import enter_packed, run_packed
from djflow.executors.task import TaskContext

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


class Child:
    """The worker's side of a pipe."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        self._pipe = pipe
        self._name = f"process {os.getpid()}"
        self._lock = Lock()  # threads of a task may report at once
        self._tasks: SimpleQueue[bytes | None] = SimpleQueue()
        self._stopping = Flag()

    def serve(self) -> None:
        """Run tasks until told to end."""
        crashes, setup = self._pipe.recv()
        self._crashes = Path(crashes)
        with self._crashes.open("w", encoding="utf-8") as file, ExitStack() as stack:
            faulthandler.enable(file, all_threads=False)
            Thread(target=self._listen, daemon=True).start()
            try:
                state = enter_packed(setup, stack)
            except WorkerSetupError as error:
                self._send("not ready", packed(error, "An error"))
                return
            self._send("ready")
            while (data := self._tasks.get()) is not None:
                self._run(data, state)

    def _run(self, data: bytes, state: Any) -> None:
        self._send("started", self._name.encode())
        context = TaskContext(self._name, state, self._report, self._stopping.is_set)
        self._send(*run_packed(data, context))

    def _report(self, payload: object) -> None:
        self._send("message", packed(payload, "What a task reports"))

    def _send(self, kind: str, data: bytes = b"") -> None:
        with self._lock:
            self._pipe.send((kind, data))

    def _listen(self) -> None:
        """Hear of the end while a task runs; that of the parent process ends this one in the middle of it."""
        try:
            while True:
                kind, data = self._pipe.recv()
                if kind == "stop":
                    self._stopping.set()
                else:
                    self._tasks.put(data if kind == "run" else None)
        except (EOFError, OSError):
            with suppress(OSError):
                self._crashes.unlink()
            os._exit(1)


def serve(pipe: "Connection[Any, Any]") -> None:
    """Be a worker of the process at the other end of a pipe."""
    Child(pipe).serve()
