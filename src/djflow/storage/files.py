"""Files of this machine: written whole or not at all, and copied to and from stores."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

from djflow.errors import StorageError
from djflow.storage.flushing import AtOnce, Flushing
from djflow.storage.paths import unfinished

Translated: TypeAlias = Callable[[], AbstractContextManager[None]]

AT_ONCE: Final = AtOnce()
_BUFFER: Final = 1 << 16  # bytes


class WholeFile:
    """A file that replaces `target` when it is committed, and leaves no trace if discarded.

    What is written to it is written inside `translated()`, which may tell the system's errors otherwise.
    `flushing` says when it reaches the disk, by default before it has its name.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     writing = WholeFile(Path(folder, "a"))
    ...     _ = writing.file.write(b"text")
    ...     before = Path(folder, "a").exists()
    ...     writing.commit()
    ...     before, Path(folder, "a").read_bytes()
    (False, b'text')
    """

    def __init__(
        self, target: Path, translated: Translated = nullcontext, flushing: Flushing = AT_ONCE
    ) -> None:
        self._target, self._flushing = target, flushing
        self._temporary, self.file = _open_beside(target, translated)

    def commit(self) -> None:
        """Give the file its name."""
        try:
            self.file.flush()
            self._flushing.file(self.file.fileno(), self._target)
            self.file.close()
            self._temporary.replace(self._target)
        except BaseException:
            self.discard()
            raise
        self._leave_crowd()
        self._flushing.path(self._target.parent)

    def discard(self) -> None:
        """Forget what was written."""
        try:
            with suppress(OSError, StorageError):  # what was not flushed, to a full disk
                self.file.close()
        finally:
            self._temporary.unlink(missing_ok=True)
            self._leave_crowd()

    def _leave_crowd(self) -> None:
        if self._temporary.parent != self._target.parent:
            with suppress(OSError):  # others are in it
                self._temporary.parent.rmdir()


class _Raw(FileIO):
    def __init__(self, path: Path, translated: Translated) -> None:
        super().__init__(path, "xb")
        self._translated = translated

    def write(self, data: Any) -> int:
        with self._translated():
            return super().write(data)


def _new(path: Path, translated: Translated) -> BinaryIO:
    return BufferedWriter(_Raw(path, translated), _BUFFER)


def _open_beside(target: Path, translated: Translated) -> tuple[Path, BinaryIO]:
    """A new file beside another one."""
    alone, crowd = (target.with_name(name) for name in unfinished(target.name))
    try:
        return alone, _new(alone, translated)
    except FileExistsError:  # somebody writes the same now, or was interrupted
        pass
    while True:
        crowd.mkdir(exist_ok=True)
        file = crowd / secrets.token_hex(8)
        with suppress(FileNotFoundError):  # the last of the others has just removed the folder
            return file, _new(file, translated)


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
