"""What all handles of stored objects can do."""

from abc import ABC, abstractmethod
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from djflow.errors import StorageError
from djflow.storage.handles.checksums import verify_object
from djflow.storage.handles.download import download
from djflow.storage.store import Store

if TYPE_CHECKING:
    import fsspec
    import numpy as np

_READING: Final = ("rb", "r", "rt")


class StoredHandle(ABC):
    """An object in a store that a row refers to; nothing is read before it is asked for."""

    __slots__ = ()

    @property
    @abstractmethod
    def _place(self) -> tuple[Store, str]:
        """The store and the object's path in it."""

    @property
    def home(self) -> Store:
        """The store in which the object lies."""
        return self._place[0]

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """How many bytes the value takes in memory, as far as that is known without reading it."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The reference as the row keeps it: `path`, `store`, and what opening the object needs."""

    @abstractmethod
    def read(self) -> Any:
        """The value in memory, read anew and not kept."""

    @property
    def fs(self) -> "fsspec.AbstractFileSystem":
        """The `fsspec` file system in which the object lies at `full_path`."""
        return self._filesystem()[0]

    @property
    def full_path(self) -> str:
        """Where the object lies in `fs`: an absolute path on this machine, or bucket and key."""
        return self._filesystem()[1]

    @property
    def fsmap(self) -> "fsspec.FSMap":
        """The files of a folder as a mapping, which `zarr.open` and `xarray.open_zarr` take."""
        from fsspec import FSMap

        files, path = self._filesystem()
        return FSMap(path, files)

    def download(self, destination: Path | str) -> Path:
        """Copy the object to `destination`, or into it if that is a folder; returns where the copy lies.

        It appears whole or not at all; a copy that is there already is kept.

        Raises `StorageError` where something else has its name, `MissingExternalFile` for an absent object.
        """
        return download(*self._place, Path(destination))

    def verify(self) -> bool:
        """True if the object is what was written, as size, number of files and checksum tell; reads it all.

        Raises `MissingExternalFile` for an absent object, `CorruptObjectError` for another content.
        """
        verify_object(self._place[0], self.to_json())
        return True

    def _filesystem(self) -> "tuple[fsspec.AbstractFileSystem, str]":
        store, path = self._place
        return store.filesystem(path)


class ArrayHandle(Protocol):
    """A handle of an array."""

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type of the elements."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The extent of each dimension."""
        ...

    def read_into(self, target: "np.ndarray[Any, Any]") -> None:
        """Fill an array of the same shape."""
        ...


class FileHandle(StoredHandle):
    """A handle with the store and the path of its object."""

    __slots__ = ()

    _store: Store
    path: str

    @property
    def store(self) -> str | None:
        """The name of the store."""
        return self._store.name or None

    def open(self, mode: str = "rb") -> IO[Any]:
        """The file, to be read in pieces; close it after use.

        `mode` is "rb", or "r" for text in UTF-8.

        Raises `StorageError` for a mode that writes, `MissingExternalFile` for an absent file.
        """
        return open_file(self._store, self.path, mode)

    @property
    def _place(self) -> tuple[Store, str]:
        return self._store, self.path


def open_file(store: Store, path: str, mode: str) -> IO[Any]:
    """A file of a row, for reading. Raises `StorageError` for any other mode."""
    if mode not in _READING:
        raise StorageError(f"{path!r} belongs to a row and can only be read, not opened {mode!r}.")
    file = store.open(path)
    return file if mode == "rb" else TextIOWrapper(file, encoding="utf-8")
