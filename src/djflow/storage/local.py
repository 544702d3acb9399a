"""A store in a folder."""

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from djflow.errors import BucketInaccessible, MissingExternalFile, StorageError, StoreFullError
from djflow.storage.files import WholeFile, copying_from, copying_to, flush
from djflow.storage.paths import DEFAULT_LAYOUT, StoreLayout, check_path
from djflow.storage.store import StoredFile

if TYPE_CHECKING:
    import fsspec
    import zarr.storage

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
        target = self._locate(path)
        with self._translated(path):
            self._make_root()
            _make_folders(target.parent)
            writing = WholeFile(target)
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
        """Remove a file or a tree."""
        target = self._locate(path)
        with self._translated(path), suppress(*_ABSENT):
            if target.is_dir():
                shutil.rmtree(target)
            else:
                target.unlink()

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

    def sync(self, path: str) -> None:
        """Return once all that was written below `path` survives a power loss."""
        target = self._locate(path)
        with self._translated(path):
            for file in [*_files(target), *_folders(target)]:
                flush(file)
            for folder in (target, *target.parents):
                flush(folder)
                if folder == self.root:
                    break

    def local_path(self, path: str) -> Path | None:
        """Where the object lies."""
        return self._locate(path)

    def zarr_store(self, path: str, *, read_only: bool) -> "zarr.storage.LocalStore":
        """A Zarr store whose root is the folder at `path`."""
        from zarr.storage import LocalStore as ZarrFolder

        target = self._locate(path)
        if not read_only:
            with self._translated(path):
                self._make_root()
        return ZarrFolder(target, read_only=read_only)

    def filesystem(self, path: str) -> "tuple[fsspec.AbstractFileSystem, str]":
        """The local file system, and the object's absolute path."""
        from fsspec.implementations.local import LocalFileSystem

        return LocalFileSystem(auto_mkdir=True), self._locate(path).as_posix()

    def _locate(self, path: str) -> Path:
        target = self.root / check_path(path)
        if not target.resolve().is_relative_to(self.root.resolve()):
            raise StorageError(f"{path!r} leads through a symbolic link out of {self._title}.")
        return target

    def _make_root(self) -> None:
        if not self.root.exists():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)

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


def _make_folders(folder: Path) -> None:
    """Make a folder and its parents, each entry flushed to disk."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        flush(folder.parent)


def _files(folder: Path) -> list[Path]:
    return list(_walk(folder))


def _walk(folder: Path) -> Iterator[Path]:
    return (Path(place, name) for place, _, names in os.walk(folder) for name in names)


def _folders(folder: Path) -> list[Path]:
    return [Path(place) for place, _, _ in os.walk(folder)]
