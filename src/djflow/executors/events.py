"""What an executor tells of its tasks.

Of each task that is not cancelled: `Started`, any number of `Message`, then one of `Done`, `Failed`,
`WorkerLost`, which is the last. A task whose worker died before it began may be lost without `Started`.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from djflow.executors.failure import Failure
from djflow.executors.task import Task


@dataclass(frozen=True, slots=True)
class Started:
    """A worker began with the task."""

    task: Task
    worker: str


@dataclass(frozen=True, slots=True)
class Message:
    """The task reported something while it ran."""

    task: Task
    payload: Any


@dataclass(frozen=True, slots=True)
class Done:
    """The task returned."""

    task: Task
    result: Any


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised; its worker goes on with others."""

    task: Task
    failure: Failure


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker died, or was cut off, with the task in its hands: what the task did so far is unknown.

    `began` is False where the task had surely not begun. `traceback` is where the interpreter was when
    it crashed, where that could be found out.
    """

    task: Task
    worker: str
    reason: str
    began: bool = True
    traceback: str = ""


Ending: TypeAlias = Done | Failed | WorkerLost
Event: TypeAlias = Started | Message | Ending
