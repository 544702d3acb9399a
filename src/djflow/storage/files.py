"""Files of this machine: written whole or not at all, and copied to and from stores."""

import os
import secrets
import shutil
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

    file: BinaryIO

    # Places are texts: a store writes many small files, and paths take longer than the system.
    __slots__ = ("_crowd", "_flushing", "_target", "_temporary", "file")

    def __init__(
        self, target: Path | str, translated: Translated = nullcontext, flushing: Flushing = AT_ONCE
    ) -> None:
        self._target, self._flushing = str(target), flushing
        self._temporary, self._crowd = unfinished(self._target)
        try:
            self.file = _new(self._temporary, translated)
        except FileExistsError:  # somebody writes the same now, or was interrupted
            self._temporary, self.file = _open_in(self._crowd, translated)

    def commit(self) -> None:
        """Give the file its name."""
        try:
            self.file.flush()
            self._flushing.file(self.file.fileno(), self._target)
            self.file.close()
            os.replace(self._temporary, self._target)  # noqa: PTH105
        except BaseException:
            self.discard()
            raise
        self._leave_crowd()
        self._flushing.path(os.path.dirname(self._target))  # noqa: PTH120

    def discard(self) -> None:
        """Forget what was written."""
        try:
            with suppress(OSError, StorageError):  # what was not flushed, to a full disk
                self.file.close()
        finally:
            with suppress(FileNotFoundError):
                os.unlink(self._temporary)  # noqa: PTH108
            self._leave_crowd()

    def _leave_crowd(self) -> None:
        if self._temporary.startswith(self._crowd):
            with suppress(OSError):  # others are in it
                os.rmdir(self._crowd)  # noqa: PTH106


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file of a user's that takes its name when the block ends well.

    What a link points to is replaced, and who could not read it before cannot now; pipes and devices are
    written to. Raises `OSError`.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    writing = WholeFile(path)
    try:
        if path.exists():
            shutil.copymode(path, writing.file.name)
        yield writing.file
    except BaseException:
        writing.discard()
        raise
    writing.commit()


class _Raw(FileIO):
    def __init__(self, path: str, translated: Translated) -> None:
        super().__init__(path, "xb")
        self._translated = translated

    def write(self, data: Any) -> int:
        with self._translated():
            return super().write(data)


def _new(path: str, translated: Translated) -> BinaryIO:
    return BufferedWriter(_Raw(path, translated), _BUFFER)


def _open_in(crowd: str, translated: Translated) -> tuple[str, BinaryIO]:
    """A new file in a folder, which whoever leaves it last removes."""
    while True:
        with suppress(FileExistsError):
            os.mkdir(crowd)  # noqa: PTH102
        file = f"{crowd}/{secrets.token_hex(8)}"
        with suppress(FileNotFoundError):
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
