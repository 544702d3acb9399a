"""A file that is written in any order, and becomes an object when it is finished."""

import errno
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import IO, Any, Final

from djflow.errors import StorageError, StoreFullError
from djflow.storage.handles.checksums import FILE
from djflow.storage.progress import watched
from djflow.storage.store import Store

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class GrowingFile:
    """A file of this machine, opened as often as one likes until it is closed for good."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._open: list[IO[Any]] = []

    def open(self, mode: str) -> IO[Any]:
        """The file as `open` gives it; text is in UTF-8.

        Raises `StorageError` for a mode that there is not.
        """
        try:
            file = self.place.open(mode, encoding=None if "b" in mode else "utf-8")
        except (ValueError, FileExistsError) as error:
            raise StorageError(f"A staged file cannot be opened {mode!r}: {error}.") from error
        self._open.append(file)
        return file

    @property
    def size(self) -> int:
        """How many bytes there are in the file."""
        return self.place.stat().st_size

    def close(self) -> None:
        """Close all that `open` gave."""
        while self._open:
            self._open.pop().close()


class TemporaryFile(GrowingFile):
    """One in a temporary folder, which goes when the file is abandoned."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="djflow-")
        super().__init__(Path(self._folder.name, "content"))
        self.place.touch()

    def abandon(self) -> None:
        """Close the file and remove it."""
        with suppress(OSError):  # what was not flushed, to a full disk
            self.close()
        self._folder.cleanup()


class ObjectFile:
    """A file that becomes an object: it grows at its place in a local store, or else in a temporary folder.

    >>> from djflow.testing.stores import MemoryStore
    >>> store = MemoryStore()
    >>> growing = ObjectFile(store, "a.txt")
    >>> with growing.file.open("w") as file: _ = file.write("text")
    >>> growing.finish(), store.get("a.txt")
    ((4, 'blake2b:d732c6be860e019351f99173fa6ae612'), b'text')
    """

    file: TemporaryFile | GrowingFile

    def __init__(self, store: Store, path: str) -> None:
        self._store, self._path = store, path
        local = store.local_path(path)
        self._temporary = TemporaryFile() if local is None else None
        if local is not None:
            store.put(path, b"")  # with the folders around it
        self.file = self._temporary or GrowingFile(local or Path())

    def finish(self) -> tuple[int, str]:
        """Make it an object of the store, durably; its size and checksum."""
        with writing_to(self._path):
            self.file.close()
            size = self.file.size
            with self.file.place.open("rb") as file:
                digest = file_digest(file, lambda: blake2b(digest_size=16))
        if self._temporary is None:
            self._store.sync(self._path)
        else:
            with watched(self._store, self._path, 1) as (target, _):
                target.put_file(self._path, self.file.place)
            self._temporary.abandon()
        return size, f"{FILE}:{digest.hexdigest()}"

    def abandon(self) -> None:
        """Close it, and remove what is not in the store."""
        if self._temporary is not None:
            self._temporary.abandon()
        with suppress(OSError):  # what was not flushed, to a full disk
            self.file.close()


@contextmanager
def writing_to(path: str) -> Iterator[None]:
    """Errors of this machine's files as those of the object at `path`."""
    try:
        yield
    except OSError as error:
        kind = StoreFullError if error.errno in _FULL else StorageError
        raise kind(f"{path!r} cannot be written: {error.strerror or error}.") from error
