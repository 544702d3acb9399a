"""What djflow needs of a place for objects."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from djflow.storage.paths import StoreLayout

if TYPE_CHECKING:
    import fsspec
    import zarr.abc.store


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a store has: its path there, its size in bytes, and when it was last written, in UTC."""

    path: str
    size: int
    modified: datetime


class Store(Protocol):
    """A place for objects, named by relative paths with `/` between their parts.

    An object is a file or a tree of files. All methods raise `StorageError` for a path that leaves the store,
    `MissingExternalFile` for an object that is not there and `BucketInaccessible` where the store cannot be
    reached. Implementations can be pickled and used by several threads; `djflow.testing.stores.StoreContract`
    tests them.
    """

    @property
    def name(self) -> str:
        """The name under which the store is configured, kept in references to its objects."""
        ...

    @property
    def layout(self) -> StoreLayout:
        """How paths in this store are made."""
        ...

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file whole or not at all, replacing any that is there; it survives a power loss.

        Raises `StoreFullError` where there is no room.
        """
        ...

    def get(self, path: str) -> bytes:
        """The content of a file."""
        ...

    def put_file(self, path: str, source: Path) -> None:
        """Copy a file of this machine into the store, whole or not at all, without holding it in memory.

        Raises `StorageError` where `source` cannot be read, `StoreFullError` where there is no room.
        """
        ...

    def get_file(self, path: str, target: Path) -> None:
        """Copy a file to this machine, whole or not at all, replacing any that is there.

        Raises `StorageError` where `target` cannot be written.
        """
        ...

    def create(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Write a file in pieces: `with store.create(path) as file: file.write(...)`.

        It appears, whole, when the block ends; where the block raises, nothing changes.
        """
        ...

    def batch(self) -> "AbstractContextManager[Store]":
        """The same store for writing many files: they survive a power loss once the block has ended.

        `with store.batch() as batch: batch.put(...)`. Where the block raises, they may or may not be there.
        """
        ...

    def open(self, path: str) -> BinaryIO:
        """A file to be read in pieces; close it after use."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        ...

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        ...

    def remove(self, path: str) -> None:
        """Remove a file or a tree; nothing happens where there is none."""
        ...

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """The files below a path, or the file at it, in no order; "" is the whole store.

        There are none below a path that does not exist. What an interrupted writer left behind is listed
        too, so that it can be found.
        """
        ...

    def sync(self, path: str) -> None:
        """Return once all that was written below `path` survives a power loss; in a batch, its end waits."""
        ...

    def local_path(self, path: str) -> Path | None:
        """Where the object lies in this machine's file system, or None for a remote store."""
        ...

    def zarr_store(self, path: str, *, read_only: bool) -> "zarr.abc.store.Store":
        """A Zarr store whose root is the object at `path`."""
        ...

    def filesystem(self, path: str) -> "tuple[fsspec.AbstractFileSystem, str]":
        """An `fsspec` file system for users' own reading and writing, and where the object lies in it."""
        ...
