"""A store in a folder."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from djflow.errors import BucketInaccessible, MissingExternalFile, StorageError, StoreFullError
from djflow.storage.files import AT_ONCE, WholeFile, copying_from, copying_to
from djflow.storage.flushing import Flushing, Together
from djflow.storage.paths import DEFAULT_LAYOUT, StoreLayout, check_path, unfinished
from djflow.storage.store import StoredFile

if TYPE_CHECKING:
    import fsspec
    import zarr.abc.store

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)
_PIECE: Final = 1 << 22  # bytes copied at a time


@dataclass(frozen=True, slots=True)
class LocalStore:
    """Objects as files below the folder `root`.

    The folder is made, readable by its owner alone, when the first object is written. In a folder that
    exists, files get the permissions that the process's umask gives, so that a group can share it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = LocalStore(Path(folder), name="main")
    ...     store.put("a/b.txt", b"text")
    ...     store.get("a/b.txt"), store.exists("a"), store.size("a")
    (b'text', True, 4)
    """

    root: Path
    name: str = ""
    layout: StoreLayout = DEFAULT_LAYOUT
    flushing: Flushing = field(default=AT_ONCE, repr=False, compare=False)
    ready: set[str] | None = field(default=None, repr=False, compare=False)  # a batch looks at folders once

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file whole or not at all."""
        with self._translated(path), self.create(path) as file:
            file.write(data)

    def put_file(self, path: str, source: Path) -> None:
        """Copy a file into the store."""
        with copying_from(source) as file, self._translated(path), self.create(path) as target:
            shutil.copyfileobj(file, target, _PIECE)

    def get_file(self, path: str, target: Path) -> None:
        """Copy a file out of the store."""
        with self.open(path) as source, copying_to(target) as file:
            shutil.copyfileobj(source, file, _PIECE)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        """Write a file in pieces."""
        folder = check_path(path).rpartition("/")[0]
        with self._translated(path):
            self._make_folder(folder, set() if self.ready is None else self.ready)
            if _may_lead_away(place := f"{self.root}/{path}"):
                self._check_stays(path)
            writing = WholeFile(place, partial(self._translated, path), self.flushing)
        try:
            yield writing.file
        except BaseException:  # the block's own, so it stays as it is
            writing.discard()
            raise
        with self._translated(path):
            writing.commit()

    def get(self, path: str) -> bytes:
        """The content of a file."""
        with self._translated(path):
            return self._locate(path).read_bytes()

    def open(self, path: str) -> BinaryIO:
        """A file to be read in pieces."""
        with self._translated(path):
            return self._locate(path).open("rb")

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        with self._translated(path):
            return self._locate(path).exists()

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        target = self._locate(path)
        with self._translated(path):
            if target.is_dir():
                return sum(file.stat().st_size for file in _files(target))
            return target.stat().st_size

    def remove(self, path: str) -> None:
        """Remove a file or a tree, and what its interrupted writers left."""
        self._locate(path)
        with self._translated(path):
            self.root.stat()  # what is in a store that is not mounted is not removed
            for each in (path, *unfinished(path)):
                _remove(f"{self.root}/{each}")

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """The files below a path."""
        return self._list(self._locate(prefix) if prefix else self.root, prefix)

    def _list(self, top: Path, prefix: str) -> Iterator[StoredFile]:
        with self._translated(prefix):
            if not top.exists():
                self.root.stat()  # a store that is gone is not an empty one
            for file in [top] if top.is_file() else _walk(top):
                with suppress(*_ABSENT):  # removed meanwhile
                    found = file.lstat()
                    if stat.S_ISREG(found.st_mode):
                        path = file.relative_to(self.root).as_posix()
                        yield StoredFile(path, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    @contextmanager
    def batch(self) -> Iterator["LocalStore"]:
        """The store for writing many files, which are flushed together."""
        written = Together()
        yield replace(self, flushing=written, ready=set())
        with self._translated(""):
            written.flush()

    def sync(self, path: str) -> None:
        """Return once all that was written below `path` survives a power loss; in a batch, its end waits."""
        target = self._locate(path)
        with self._translated(path):
            for file in [*_files(target), *_folders(target)]:
                self.flushing.path(str(file))
            for folder in (target, *target.parents):
                self.flushing.path(str(folder))
                if folder == self.root:
                    break

    def local_path(self, path: str) -> Path | None:
        """Where the object lies."""
        return self._locate(path)

    def zarr_store(self, path: str, *, read_only: bool) -> "zarr.abc.store.Store":
        """A Zarr store whose root is the folder at `path`."""
        from zarr.storage import LocalStore as ZarrFolder

        target = self._locate(path)
        if read_only:
            return ZarrFolder(target, read_only=True)
        from djflow.storage.local_zarr import FlushedStore

        with self._translated(path):
            self._make_root()
        return FlushedStore(ZarrFolder(target), partial(self._translated, path))

    def filesystem(self, path: str) -> "tuple[fsspec.AbstractFileSystem, str]":
        """The local file system, and the object's absolute path."""
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem(auto_mkdir=True), self._locate(path).as_posix()

    def _locate(self, path: str) -> Path:
        target = self.root / check_path(path)
        steps = accumulate(path.split("/"), "{}/{}".format, initial=str(self.root))
        if any(map(_may_lead_away, islice(steps, 1, None))):
            self._check_stays(path)
        return target

    def _check_stays(self, path: str) -> None:
        if not (self.root / path).resolve().is_relative_to(self.root.resolve()):
            raise StorageError(f"{path!r} leads through a symbolic link out of {self._title}.")

    def _make_root(self) -> None:
        if not self.root.exists():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _make_folder(self, folder: str, ready: set[str]) -> None:
        """Make a folder and those above it, but for those that are ready to be written to."""
        if folder in ready:
            return
        if not folder:
            self._make_root()
        else:
            above = folder.rpartition("/")[0]
            self._make_folder(above, ready)
            place = f"{self.root}/{folder}"
            try:
                os.mkdir(place)  # noqa: PTH102
                self.flushing.path(f"{self.root}/{above}")
            except FileExistsError:
                if _may_lead_away(place):
                    self._check_stays(folder)
        ready.add(folder)

    @property
    def _title(self) -> str:
        return f"store {self.name!r} at {self.root}" if self.name else f"the store at {self.root}"

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except _ABSENT as error:
            if not self.root.is_dir():
                raise BucketInaccessible(f"The folder of {self._title} does not exist.").suggest(
                    "Mount it, or correct the store's location in the settings."
                ) from error
            raise MissingExternalFile(f"{path!r} is not in {self._title}.").suggest(
                "Check that the store's location is the one under which the row was written."
            ) from error
        except PermissionError as error:
            raise BucketInaccessible(
                f"{self._title} refuses access to {path!r}: {error.strerror}."
            ) from error
        except OSError as error:
            if error.errno in _FULL:
                raise StoreFullError(f"No room for {path!r} in {self._title}: {error.strerror}.") from error
            raise StorageError(f"{path!r} in {self._title}: {error.strerror or error}.") from error


def _may_lead_away(place: str) -> bool:
    """Whether it is a symbolic link; resolving each path would take ten times as long."""
    return os.name == "nt" or os.path.islink(place)  # noqa: PTH114


def _remove(place: str) -> None:
    with suppress(*_ABSENT):
        try:
            os.unlink(place)  # noqa: PTH108 - of text: as many as there are, paths take longer than the system
        except (IsADirectoryError, PermissionError):  # which of them, depends on the system
            if not os.path.isdir(place):  # noqa: PTH112
                raise
            shutil.rmtree(place)


def _files(folder: Path) -> list[Path]:
    return list(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    return (Path(place, name) for place, _, names in os.walk(folder) for name in names)


def _folders(folder: Path) -> list[Path]:
    return [Path(place) for place, _, _ in os.walk(folder)]
