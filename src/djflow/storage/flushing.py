"""When what was written to this machine's disks survives a power loss: at once, or all of it together."""

import ctypes
import os
import platform
import re
import sys
from pathlib import Path
from typing import Final, Protocol

from djflow.storage.parallel import map_threads

_MANY: Final = 64  # files, for which it pays to flush a whole file system
_THREADS: Final = 16
_SYNCED_WHOLE: Final = frozenset({"ext4", "xfs"})  # whose `syncfs` waits for files, folders and the disk
_TELLS_FAILURES: Final = (5, 8)  # the version of Linux since which `syncfs` does


class Flushing(Protocol):
    """Has files and the entries of folders reach the disk."""

    def file(self, descriptor: int, path: str) -> None:
        """An open file was written that will have this path."""
        ...

    def path(self, path: str) -> None:
        """A file was written, or a folder has new entries."""
        ...


class AtOnce:
    """Flushes each file and folder where it is told of it."""

    def file(self, descriptor: int, path: str) -> None:
        """Flush an open file."""
        del path
        os.fsync(descriptor)

    def path(self, path: str) -> None:
        """Flush a file or the entries of a folder."""
        flush(path)


class Together:
    """Notes what was written, to be flushed at the end, which takes a disk a fraction of the time.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = Together()
    ...     written.path(folder)
    ...     written.flush()
    """

    def __init__(self) -> None:
        self._paths: dict[str, None] = {}  # a dict, as threads may add to it at once

    def file(self, descriptor: int, path: str) -> None:
        """Note a file."""
        del descriptor
        self._paths[path] = None

    def path(self, path: str) -> None:
        """Note a file or a folder."""
        self._paths[path] = None

    def flush(self) -> None:
        """Return once all that was noted survives a power loss."""
        paths = list(self._paths)
        if len(paths) < _MANY or not _flush_file_system(paths[0]):
            map_threads(flush, paths, _THREADS)


def flush(path: Path | str) -> None:
    """Return once a file, or the entries of a folder, survive a power loss."""
    if os.name == "nt" and Path(path).is_dir():
        return  # Windows flushes entries with their files
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _flush_file_system(path: str) -> bool:
    """Flush all of the file system that a path lies in, if it has a way that can be trusted."""
    if sys.platform != "linux" or not _can_be_trusted(path):
        return False
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)
    return True


def _can_be_trusted(path: str) -> bool:
    release = tuple(map(int, re.findall(r"\d+", platform.release())[:2]))
    device = Path(path).stat().st_dev
    place = f"{os.major(device)}:{os.minor(device)}"
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    kinds = {mount[mount.index("-") + 1] for mount in mounts if mount[2] == place}
    return release >= _TELLS_FAILURES and bool(kinds) and kinds <= _SYNCED_WHOLE
