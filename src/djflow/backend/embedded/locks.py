"""Locks between processes that the system frees when a process dies, however it dies."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from djflow.errors import ServerError

if sys.platform == "win32":
    from djflow.backend.embedded.windows import try_exclusive, try_shared, unlock
else:
    import fcntl

    def try_exclusive(descriptor: int) -> bool:
        """Lock an open file against everybody else; False if somebody has it."""
        return _try(descriptor, fcntl.LOCK_EX)

    def try_shared(descriptor: int) -> bool:
        """Lock an open file against exclusive holders; False if there is one."""
        return _try(descriptor, fcntl.LOCK_SH)

    def unlock(descriptor: int) -> None:
        """Unlock an open file, in forked copies of this process too."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)

    def _try(descriptor: int, mode: int) -> bool:
        try:
            fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


_PAUSE: Final = 0.01


@contextmanager
def exclusive(path: Path, *, patience: float) -> Iterator[None]:
    """Hold a lock alone. Raises `ServerError` if others keep it for `patience` seconds."""
    descriptor = _open(path)
    try:
        _wait(descriptor, path, try_exclusive, patience)
        try:
            yield
        finally:
            # unlocked, not only closed: a child forked meanwhile holds a copy of the descriptor
            unlock(descriptor)
    finally:
        os.close(descriptor)


def share(path: Path, *, patience: float) -> int:
    """Take part in a shared lock until the returned descriptor and its forked copies are closed."""
    descriptor = _open(path)
    try:
        _wait(descriptor, path, try_shared, patience)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def claim(path: Path) -> int | None:
    """A descriptor that holds a lock alone, or None if another process has it."""
    descriptor = _open(path)
    if try_exclusive(descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _wait(descriptor: int, path: Path, attempt: Callable[[int], bool], patience: float) -> None:
    deadline = time.monotonic() + patience
    while not attempt(descriptor):
        if time.monotonic() > deadline:
            raise ServerError(
                f"Another process has been starting or stopping the server for {patience:.0f} s. "
                f"Find the process that locks {path}, end it, then try again."
            )
        time.sleep(_PAUSE)
