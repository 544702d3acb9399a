"""A folder of copies of remote files, bounded in size, which any number of processes and threads share.

`fsspec`'s own caches have no bound on their size and rewrite a file of metadata that processes share; Zarr's
knows chunks only; `diskcache` has the bound, but keeps values in files that cannot be mapped under a name of
ours, behind a database file that network folders do not like. What is needed is less: whole files of objects
that never change.

A copy is written under a temporary name and renamed, so it is whole; its name tells its size, so that one
which was cut off is known. When it was last used is its time of modification.
"""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from time import monotonic, time
from typing import Final

from djflow.errors import BucketInaccessible, MissingExternalFile, StorageError

_FOLDED: Final = 2  # letters of a name that name its folder: few folders are looked through sooner than many
_KEPT: Final = 0.9  # of the bound: what stays after room was made
_UNSEEN: Final = 64  # the part of the bound that a process adds before it looks what others did
_ABANDONED: Final = 3600.0  # seconds since a temporary file was last written to
_FRESH: Final = 60.0  # seconds in which a copy is not marked as used again
_REST: Final = 60.0  # seconds without attempts to write, after one failed


class TooLargeError(Exception):
    """A file is not worth what a copy of it would push out."""


class CacheFolder:
    """Copies of files in `folder`, `size` bytes at most; those go first that were not used for longest.

    Of several processes, each may exceed the bound by a sixty-fourth until it looks again.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = CacheFolder(Path(folder), size=1000)
    ...     file = cache.fetch("a", lambda target: target.write_bytes(b"text"))
    ...     file.read_bytes(), cache.find("a") == file, cache.find("b")
    (b'text', True, None)
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._files, self._unfinished, self._size = folder / "files", folder / "unfinished", size
        self._lock, self._making_room = Lock(), Lock()
        self._flights: dict[str, _Flight] = {}
        self._total: int | None = None  # bytes, None before the folder was looked at
        self._unseen = 0  # bytes added since then
        self._rests_until = 0.0

    @property
    def largest(self) -> int:
        """How many bytes a file may have that is kept."""
        return self._size // 2

    def find(self, key: str) -> Path | None:
        """The copy that is kept under a key, marked as used; None where there is none."""
        return self._find(_name(key))

    def fetch(self, key: str, fill: Callable[[Path], object]) -> Path | None:
        """The copy under a key, written by `fill` where there is none; threads that want the same one wait.

        None where no copy can be kept: `fill` raised `TooLargeError`, or this machine has no room. What the
        store says is raised: `MissingExternalFile`, `BucketInaccessible`.
        """
        name = _name(key)
        found = self._find(name)
        if found is not None:
            return found
        with self._alone(name):
            found = self._find(name)
            if found is not None or monotonic() < self._rests_until:
                return found
            try:
                return self._add(name, fill)
            except TooLargeError:
                return None
            except (MissingExternalFile, BucketInaccessible):
                raise
            except (OSError, StorageError):
                self._rests_until = monotonic() + _REST
                return None

    def drop(self, key: str) -> None:
        """Forget the copy under a key."""
        for file, _ in self._copies(_name(key)):
            with suppress(OSError):
                file.unlink(missing_ok=True)

    def _find(self, name: str) -> Path | None:
        for file, size in self._copies(name):
            with suppress(OSError):
                found = file.stat()
                if found.st_size != size:
                    file.unlink()
                    continue
                if time() - found.st_mtime > _FRESH:
                    os.utime(file)
                return file
        return None

    def _copies(self, name: str) -> Iterator[tuple[Path, int]]:
        """The files that may be the copy, each with the size that it should have."""
        folder = self._files / name[:_FOLDED]
        with suppress(OSError):
            _check_own(self._files)  # copies of somebody else's are not believed
            for found in os.listdir(folder):  # noqa: PTH208 - names are enough
                digest, _, size = found.partition(".")
                if digest == name and size.isdecimal():
                    yield folder / found, int(size)

    def _add(self, name: str, fill: Callable[[Path], object]) -> Path:
        self._prepare()
        unfinished = self._unfinished / secrets.token_hex(8)
        try:
            fill(unfinished)
            size = unfinished.stat().st_size
            if size > self.largest:
                raise TooLargeError
            self._make_room(size)
            if os.name == "posix":  # Windows would keep it for ever
                unfinished.chmod(0o400)
            file = self._files / name[:_FOLDED] / f"{name}.{size}"
            file.parent.mkdir(exist_ok=True)
            return unfinished.replace(file)
        finally:
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)

    def _prepare(self) -> None:
        """Make the folders, for their owner alone, and look for what dead processes left."""
        if self._total is not None and self._files.is_dir() and self._unfinished.is_dir():
            return
        for folder in (self._files, self._unfinished):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_own(folder)
        for file, last_written, _ in _entries(self._unfinished):
            if time() - last_written > _ABANDONED:
                file.unlink(missing_ok=True)

    def _make_room(self, size: int) -> None:
        with self._making_room:
            if self._total is None or self._unseen > self._size // _UNSEEN:
                self._look()
            self._total, self._unseen = (self._total or 0) + size, self._unseen + size
            if self._total > self._size:
                self._look()
                self._evict(self._total + size - int(self._size * _KEPT))
                self._total += size

    def _look(self) -> None:
        self._total, self._unseen = sum(size for *_, size in self._kept()), 0

    def _evict(self, excess: int) -> None:
        for file, _, size in sorted(self._kept(), key=lambda kept: kept[1]):
            if excess <= 0:
                break
            with suppress(OSError):  # another process was faster
                file.unlink()
                excess -= size
                self._total = (self._total or 0) - size

    def _kept(self) -> Iterator[tuple[Path, float, int]]:
        with suppress(OSError):
            for folder in self._files.iterdir():
                yield from _entries(folder)

    @contextmanager
    def _alone(self, name: str) -> Iterator[None]:
        """Let one thread at a time fetch a file."""
        with self._lock:
            flight = self._flights.setdefault(name, _Flight(Lock()))
            flight.waiting += 1
        try:
            with flight.lock:
                yield
        finally:
            with self._lock:
                flight.waiting -= 1
                if not flight.waiting:
                    del self._flights[name]


@dataclass(slots=True)
class _Flight:
    lock: Lock
    waiting: int = 0


def _check_own(folder: Path) -> None:
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")


def _name(key: str) -> str:
    return blake2b(key.encode("utf-8", "surrogateescape"), digest_size=20).hexdigest()


def _entries(folder: Path) -> Iterator[tuple[Path, float, int]]:
    """The files of a folder, each with when it was last used and its size."""
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            with suppress(OSError):
                known = entry.stat(follow_symlinks=False)
                yield Path(entry.path), known.st_mtime, known.st_size
