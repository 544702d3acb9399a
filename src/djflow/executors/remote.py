"""Tasks in other processes: what both ends of a line agree on. Each event is a kind and some bytes."""

from contextlib import ExitStack
from functools import partial
from typing import Any

from djflow.errors import UnpicklableTaskError
from djflow.executors.events import Done, Failed, Message, Started
from djflow.executors.executor import attempt
from djflow.executors.failure import Failure
from djflow.executors.pickling import packed, unpacked
from djflow.executors.setups import enter
from djflow.executors.task import Run, Setup, Task, TaskContext


def enter_packed(setup: bytes, stack: ExitStack) -> Any:
    """As `enter`, of a set-up that came as bytes."""

    def unpack_and_begin() -> Any:
        begin: Setup = unpacked(setup)
        return begin()

    return enter(unpack_and_begin, stack)


def run_packed(run: bytes, context: TaskContext) -> tuple[str, bytes]:
    """Run a task that came as bytes; returns its last event.

    >>> context = TaskContext("w", None, print, bool)
    >>> kind, data = run_packed(packed(len, "A task"), context)
    >>> kind, unpacked(data).kind
    ('failed', 'TypeError')
    """
    outcome = attempt(partial(_run, run), context)
    if not isinstance(outcome, Failure):
        try:
            return "done", packed(outcome, "The result of a task")
        except UnpicklableTaskError as error:
            outcome = Failure.of(error)
    return "failed", packed(outcome, "A failure")


def told(task: Task, kind: str, data: bytes) -> Started | Message | Done | Failed:
    """The event that a worker told."""
    if kind == "started":
        return Started(task, data.decode())
    try:
        value = unpacked(data)
    except Exception as error:  # noqa: BLE001 - what a worker could pickle may not be readable here
        return Failed(task, Failure.of(error))
    match kind:
        case "message":
            return Message(task, value)
        case "done":
            return Done(task, value)
        case _:
            return Failed(task, value)


def _run(data: bytes, context: TaskContext) -> object:
    run: Run = unpacked(data)
    return run(context)
