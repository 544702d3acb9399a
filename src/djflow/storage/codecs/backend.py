"""A store as codecs see it that build their references themselves."""

from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from djflow.errors import StorageError
from djflow.storage.store import Store

if TYPE_CHECKING:
    import fsspec


@dataclass(frozen=True, slots=True)
class StoreBackend:
    """What `SchemaCodec._get_backend` gives: files by their paths in a store.

    >>> from djflow.storage.local import LocalStore
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     backend = StoreBackend(LocalStore(Path(folder)))
    ...     backend.put_buffer(b"text", "a.txt")
    ...     backend.exists("a.txt"), backend.get_buffer("a.txt")
    (True, b'text')
    """

    store: Store

    def put_buffer(self, buffer: bytes, path: str) -> None:
        """Write a file, whole or not at all."""
        self.store.put(path, buffer)

    def get_buffer(self, path: str) -> bytes:
        """The content of a file."""
        return self.store.get(path)

    def put_file(self, local_path: Path | str, path: str) -> None:
        """Copy a file of this machine into the store."""
        self.store.put_file(path, Path(local_path))

    def get_file(self, path: str, local_path: Path | str) -> None:
        """Copy a file to this machine."""
        self.store.get_file(path, Path(local_path))

    def open(self, path: str, mode: str = "rb") -> IO[Any]:
        """A file to be read in pieces. Raises `StorageError` for a mode other than "rb"."""
        if mode != "rb":
            raise StorageError(f"A file in a store is opened 'rb', not {mode!r}; put_file() writes one.")
        return self.store.open(path)

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        return self.store.exists(path)

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        return self.store.size(path)

    def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        self.store.remove(path)

    def get_fsmap(self, path: str) -> "fsspec.FSMap":
        """The files below a path as a mapping, to be read or written."""
        from fsspec import FSMap

        files, full_path = self.store.filesystem(path)
        return FSMap(full_path, files)
