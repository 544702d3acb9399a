"""Tasks that do what tasks do, for tests of executors: they are importable wherever djflow is."""

# ruff: noqa: ARG001, ARG002 - each task is given a context
import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import ClassVar, Final

from djflow.executors import TaskContext

LONG: Final = 60.0  # seconds that no test waits for, unless something hangs


class Doubled:
    """A task that computes."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Doubled) and other.number == self.number

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __call__(self, context: TaskContext) -> int:
        """Twice the number."""
        return 2 * self.number


class WaitFor:
    """A task that ends when a file appears."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, context: TaskContext) -> None:
        """Wait; without company, nobody could make the file."""
        while context.worker != "serial" and not self.path.exists() and not context.should_stop():
            sleep(0.005)


class Meet:
    """A task that ends when another one runs."""

    mine: Path
    other: Path

    def __init__(self, mine: Path, other: Path) -> None:
        self.mine, self.other = mine, other

    def __call__(self, context: TaskContext) -> None:
        """Show up, and wait for the other."""
        self.mine.touch()
        wait_for(self.other)


class Alone:
    """A task that fails if another one of its kind runs."""

    def __init__(self, lock: Path) -> None:
        self.lock = lock

    def __call__(self, context: TaskContext) -> None:
        """Hold the lock for a moment."""
        self.lock.touch(exist_ok=False)
        sleep(0.02)
        self.lock.unlink()


class LoggedSetup:
    """A set-up that notes when it is entered and left."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __call__(self) -> AbstractContextManager[str]:
        """The context manager."""
        return self._entered()

    @contextmanager
    def _entered(self) -> Iterator[str]:
        name = os.urandom(4).hex()
        self._note(f"enter {name}")
        yield name
        self._note(f"leave {name}")

    def _note(self, line: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{line}\n")


class OddError(Exception):
    """An exception that cannot be read after pickling."""

    def __init__(self, message: str, *, fact: object) -> None:
        super().__init__(message)
        self.fact = fact


class UnshownError(Exception):
    """An exception without a text."""

    def __str__(self) -> str:
        raise RuntimeError


def wait_for(path: Path) -> None:
    """Return when a file exists."""
    until = monotonic() + LONG
    while not path.exists():
        if monotonic() > until:
            raise TimeoutError(path)
        sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs, on Linux; one that ended and that nobody has waited for does not.

    >>> alive(os.getpid())  # doctest: +SKIP
    True
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def report_thrice(context: TaskContext) -> None:
    """A task that tells how far it is."""
    for number in range(3):
        context.report({"number": number})


def state_of_worker(context: TaskContext) -> object:
    """A task that uses what its worker has."""
    sleep(0.005)
    return context.state


def work_until_stopped(context: TaskContext) -> str:
    """A task that would take long."""
    until = monotonic() + LONG
    while not context.should_stop() and monotonic() < until:
        sleep(0.005)
    return "stopped" if context.should_stop() else "late"


def report_process_and_stay(context: TaskContext) -> None:
    """A task that tells where it is, and does not stop when asked to."""
    context.report(os.getpid())
    sleep(LONG)


def raise_value_error(context: TaskContext) -> None:
    """A mistake."""
    raise ValueError("no such rat")


def raise_odd_error(context: TaskContext) -> None:
    """A mistake told by an exception that cannot travel."""
    raise OddError("odd", fact=lambda: None)


def raise_unshown_error(context: TaskContext) -> None:
    """A mistake told by a mistaken exception."""
    raise UnshownError


def exhaust_memory(context: TaskContext) -> None:
    """More than there is."""
    bytearray(sys.maxsize)


def leave(context: TaskContext) -> None:
    """As a script does."""
    sys.exit(3)


def crash(context: TaskContext) -> None:
    """As compiled code does."""
    ctypes.string_at(0)


def leave_at_once(context: TaskContext) -> None:
    """Without any cleaning up."""
    os._exit(3)


def kill_itself(context: TaskContext) -> None:
    """As the system does when memory runs out."""
    os.kill(os.getpid(), 9)


def make_lock(context: TaskContext) -> object:
    """A result that cannot travel."""
    return Lock()


def failing_setup() -> AbstractContextManager[None]:
    """A worker that cannot begin."""
    raise RuntimeError("no database")
