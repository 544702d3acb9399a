"""A store in a folder."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from djflow.errors import BucketInaccessible, MissingExternalFile, StorageError, StoreFullError
from djflow.storage.paths import DEFAULT_LAYOUT, StoreLayout, check_path

if TYPE_CHECKING:
    import zarr.storage

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ABSENT: Final = (FileNotFoundError, NotADirectoryError)


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
        target = self._locate(path)
        with self._translated(path):
            self._make_root()
            _make_folders(target.parent)
            _write_atomically(target, data)

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

    def sync(self, path: str) -> None:
        """Return once all that was written below `path` survives a power loss."""
        target = self._locate(path)
        with self._translated(path):
            for file in [*_files(target), *_folders(target)]:
                _flush(file)
            for folder in (target, *target.parents):
                _flush(folder)
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


def _write_atomically(target: Path, data: bytes | memoryview) -> None:
    temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush(target.parent)


def _make_folders(folder: Path) -> None:
    """Make a folder and its parents, each entry flushed to disk."""
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        _flush(folder.parent)


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows flushes entries with their files
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(folder: Path) -> list[Path]:
    return [Path(place, name) for place, _, names in os.walk(folder) for name in names]


def _folders(folder: Path) -> list[Path]:
    return [Path(place) for place, _, _ in os.walk(folder)]
