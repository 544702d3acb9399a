"""A remote store whose objects are read through a cache on this machine."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from djflow.configuration.secret import Secret
from djflow.errors import MissingExternalFile
from djflow.storage.cache_folder import CacheFolder, TooLargeError
from djflow.storage.files import copying_to
from djflow.storage.paths import StoreLayout, check_path
from djflow.storage.store import Store, StoredFile

if TYPE_CHECKING:
    import fsspec
    import zarr.abc.store

    from djflow.configuration import StoreSettings
    from djflow.configuration.cache import CacheSettings

_SMALL: Final = 1 << 23  # bytes that are asked for at once
_PIECE: Final = 1 << 22
_folders: Final[dict[tuple[int, Path, int], CacheFolder]] = {}


@dataclass(frozen=True, slots=True)
class CachedStore:
    """A store, and a cache of the files that are read from it.

    Files below the `sections` are kept, "" being the whole store: those of djflow's own, which are never
    written twice. What users put there themselves is read where it is, as are files of more than half the
    cache. `place` tells stores apart that share a folder. Where the cache fails, the store is read.

    Existence, sizes and listings are those of the store, and so is what `filesystem` gives.
    """

    store: Store
    settings: "CacheSettings"
    place: str
    sections: tuple[str, ...] = ("",)

    @property
    def name(self) -> str:
        """The name under which the store is configured."""
        return self.store.name

    @property
    def layout(self) -> StoreLayout:
        """How paths in this store are made."""
        return self.store.layout

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file whole or not at all."""
        self.store.put(path, data)
        self._drop(path)

    def put_file(self, path: str, source: Path) -> None:
        """Copy a file into the store."""
        self.store.put_file(path, source)
        self._drop(path)

    def create(self, path: str) -> AbstractContextManager[BinaryIO]:
        """Write a file in pieces."""
        return self._create(path)

    @contextmanager
    def _create(self, path: str) -> Iterator[BinaryIO]:
        with self.store.create(path) as file:
            yield file
        self._drop(path)

    @contextmanager
    def batch(self) -> Iterator["CachedStore"]:
        """The store for writing many files."""
        with self.store.batch() as batch:
            yield replace(self, store=batch)

    def get(self, path: str) -> bytes:
        """The content of a file."""
        fetched: list[bytes] = []

        def fill(target: Path) -> None:
            fetched.append(self.store.get(path))
            target.write_bytes(fetched[0])

        file = self._folder.fetch(self._key(path), fill) if self._is_kept(path) else None
        if fetched:
            return fetched[0]
        if file is not None:
            with suppress(OSError):
                return file.read_bytes()
        return self.store.get(path)

    def get_file(self, path: str, target: Path) -> None:
        """Copy a file to this machine."""
        kept = self._opened(path)
        if kept is None:
            self.store.get_file(path, target)
            return
        with kept, copying_to(target) as file:
            shutil.copyfileobj(kept, file, _PIECE)

    def open(self, path: str) -> BinaryIO:
        """A file to be read in pieces."""
        return self._opened(path) or self.store.open(path)

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        return self.store.exists(path)

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        return self.store.size(path)

    def remove(self, path: str) -> None:
        """Remove a file or a tree, from the cache too."""
        files = [file.path for file in self.store.list(check_path(path))]
        self.store.remove(path)
        for each in (path, *files):
            self._drop(each)

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """The files below a path."""
        return self.store.list(prefix)

    def sync(self, path: str) -> None:
        """Return once all that was written below `path` survives a power loss."""
        self.store.sync(path)

    def local_path(self, path: str) -> Path | None:
        """Where the copy of a file lies, only to be read; None for a tree and for what is not kept."""
        if not self._is_kept(check_path(path)):
            return self.store.local_path(path)
        try:
            return self.kept(path)
        except MissingExternalFile:
            return None

    def zarr_store(self, path: str, *, read_only: bool) -> "zarr.abc.store.Store":
        """A Zarr store whose root is the object at `path`; what is read-only is read through the cache."""
        found = self.store.zarr_store(path, read_only=read_only)
        if not read_only or not self._is_kept(path):
            return found
        from djflow.storage.cached_zarr import CachedZarr

        return CachedZarr(found, self, path)

    def filesystem(self, path: str) -> "tuple[fsspec.AbstractFileSystem, str]":
        """The file system of the store itself."""
        return self.store.filesystem(path)

    def kept(self, path: str) -> Path | None:
        """The copy of a file in the cache, fetched if it is not there; None where none can be kept.

        Raises `MissingExternalFile` where the store has no such file.
        """
        if not self._is_kept(path):
            return None
        return self._folder.fetch(self._key(path), lambda target: self._fill(path, target))

    def _fill(self, path: str, target: Path) -> None:
        with self.store.open(path) as source:
            size = source.seek(0, os.SEEK_END)
            if size > self._folder.largest:
                raise TooLargeError
            if size <= _SMALL:
                source.seek(0)
                target.write_bytes(source.read())
                return
        self.store.get_file(path, target)

    def _opened(self, path: str) -> BinaryIO | None:
        file = self.kept(path)
        if file is not None:
            with suppress(OSError):  # it went from the cache just now
                return file.open("rb")
        return None

    def _is_kept(self, path: str) -> bool:
        return any(not section or path.startswith(f"{section}/") for section in self.sections)

    def _key(self, path: str) -> str:
        return f"{self.place}\0{check_path(path)}"

    def _drop(self, path: str) -> None:
        self._folder.drop(self._key(path))

    @property
    def _folder(self) -> CacheFolder:
        # A forked process has locks of its own.
        place = (os.getpid(), self.settings.folder, self.settings.size)
        return _folders.get(place) or _folders.setdefault(place, CacheFolder(*place[1:]))


def with_cache(store: Store, settings: "StoreSettings") -> Store:
    """The store, read through the cache that its settings ask for, if they do."""
    if settings.cache is None:
        return store
    place = {name: value for name, value in settings.options.items() if not isinstance(value, Secret)}
    told = repr((settings.protocol, settings.location, sorted(place.items())))
    return CachedStore(store, settings.cache, told, (settings.hash_prefix, settings.schema_prefix))


def without_cache(store: Store) -> Store:
    """The store itself, for those who look whether its objects are what they were.

    >>> from djflow.storage.local import LocalStore
    >>> without_cache(LocalStore(Path("lab"), "main")).name
    'main'
    """
    return store.store if isinstance(store, CachedStore) else store
