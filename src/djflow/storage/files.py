"""Files of this machine: written whole or not at all, and copied to and from stores."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from djflow.errors import StorageError


class WholeFile:
    """A file that replaces `target` when it is committed, flushed to disk, and leaves no trace if discarded.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writing = WholeFile(Path(folder, "a"))
    ...     _ = writing.file.write(b"text")
    ...     before = Path(folder, "a").exists()
    ...     writing.commit()
    ...     before, Path(folder, "a").read_bytes()
    (False, b'text')
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
        self.file: BinaryIO = self._temporary.open("xb")

    def commit(self) -> None:
        """Flush the file to disk and give it its name."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            self._temporary.replace(self._target)
        except BaseException:
            self.discard()
            raise
        flush(self._target.parent)

    def discard(self) -> None:
        """Forget what was written."""
        try:
            with suppress(OSError):  # what was not flushed, to a full disk
                self.file.close()
        finally:
            self._temporary.unlink(missing_ok=True)


@contextmanager
def copying_from(source: Path) -> Iterator[BinaryIO]:
    """A file that is copied into a store. Raises `StorageError` where it cannot be opened."""
    try:
        file = source.open("rb")
    except OSError as error:
        raise StorageError(f"{str(source)!r} cannot be read: {error.strerror}.") from error
    with file:
        yield file


@contextmanager
def copying_to(target: Path) -> Iterator[BinaryIO]:
    """A file that a copy out of a store replaces as a whole. Raises `StorageError` where that cannot be."""
    writing = None
    try:
        writing = WholeFile(target)
        yield writing.file
        writing.commit()
    except BaseException as error:
        if writing is not None:
            writing.discard()
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise StorageError(f"{str(target)!r} cannot be written: {reason}.") from error
        raise


def flush(path: Path) -> None:
    """Return once a file, or the entries of a folder, survive a power loss."""
    if os.name == "nt" and path.is_dir():
        return  # Windows flushes entries with their files
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
