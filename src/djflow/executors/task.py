"""What is run, and what it finds around it while it runs."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

NO_RESOURCES: Final[Mapping[str, float]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a running task is given: the worker's state, and a line home.

    `state` is what the worker's set-up gave; workers with several threads share it among these.
    """

    worker: str
    state: Any = field(repr=False)
    report: Callable[[object], None] = field(repr=False)
    """Send something small home while the task runs; the caller gets it as a `Message`."""
    should_stop: Callable[[], bool] = field(repr=False)
    """Whether the caller asked to come to an end: return soon, with what is done so far."""


Run: TypeAlias = Callable[[TaskContext], object]
Setup: TypeAlias = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work; `run` is called with a `TaskContext` and returns something small.

    `id` is unlike that of any other task in flight. `resources` is what the task occupies while it
    runs (`{"gpu": 1}`). Of the tasks that wait, the one with the highest `priority` begins first.
    """

    id: str
    run: Run = field(repr=False)
    resources: Mapping[str, float] = field(default_factory=dict)
    priority: int = 0


def nobody_asks() -> bool:
    """Nobody asks to stop."""
    return False


def no_setup() -> AbstractContextManager[None]:
    """Workers that need nothing."""
    return nullcontext()
