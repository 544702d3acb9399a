"""A store in any file system that `fsspec` reaches."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from djflow.configuration import StoreSettings
from djflow.errors import CorruptObjectError, DjflowError, MissingExternalFile, StorageError
from djflow.storage.adapters import StorageAdapter
from djflow.storage.files import copying_from, copying_to
from djflow.storage.parallel import map_threads
from djflow.storage.paths import DEFAULT_LAYOUT, StoreLayout, check_path, unfinished
from djflow.storage.remote import opened
from djflow.storage.remote.failures import passes
from djflow.storage.remote.reader import buffered
from djflow.storage.remote.refusals import refusal
from djflow.storage.remote.retry import DEFAULT_RETRY, RetryPolicy, run
from djflow.storage.remote.trees import move_in, remove_folders, stored_file
from djflow.storage.store import StoredFile

if TYPE_CHECKING:
    import fsspec
    import zarr.abc.store

Result = TypeVar("Result")

_IN_MEMORY: Final = 1 << 24  # bytes of a file in the making that are kept in memory


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """Objects in a bucket, or in another file system, that an adapter reaches.

    Operations that fail for a reason that passes are tried again as `retry` says. Nothing is opened before
    the first operation. What `create` writes is gathered in a temporary file of this machine.
    """

    settings: StoreSettings
    adapter: StorageAdapter = field(compare=False)
    layout: StoreLayout = DEFAULT_LAYOUT
    retry: RetryPolicy = DEFAULT_RETRY

    @property
    def name(self) -> str:
        """The name under which the store is configured."""
        return self.settings.name

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Write a file whole or not at all."""
        whole = bytes(data)
        self._write(path, lambda files, target: files.pipe_file(target, whole))

    def put_file(self, path: str, source: Path) -> None:
        """Copy a file into the store, large ones in parts."""
        check_path(path)
        with copying_from(source):
            self._write(path, lambda files, target: files.put_file(str(source), target))

    def get_file(self, path: str, target: Path) -> None:
        """Copy a file out of the store."""
        size = self._file_size(path)
        with copying_to(target) as file:
            place = Path(file.name)
            self._run(path, lambda files, full: files.get_file(full, str(place)))
            if place.stat().st_size != size:
                reason = f"{place.stat().st_size:,} bytes came of {size:,}"
                raise CorruptObjectError(reason, path=path)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        """Write a file in pieces."""
        check_path(path)
        with tempfile.TemporaryDirectory(prefix="djflow-") as folder:
            gathered = Path(folder, "content")
            with gathered.open("xb") as file:
                yield file
            if gathered.stat().st_size <= _IN_MEMORY:
                self.put(path, gathered.read_bytes())
            else:
                self.put_file(path, gathered)

    def batch(self) -> "AbstractContextManager[RemoteStore]":
        """The store itself: what a server has acknowledged, it has."""
        return nullcontext(self)

    def get(self, path: str) -> bytes:
        """The content of a file."""
        check_path(path)
        return self._run(path, lambda files, full: bytes(files.cat_file(full)))

    def open(self, path: str) -> BinaryIO:
        """A file to be read in pieces; each is fetched when it is read."""
        size = self._file_size(path)

        def fetch(start: int, stop: int) -> bytes:
            data = self._run(path, lambda files, full: bytes(files.cat_file(full, start=start, end=stop)))
            if len(data) != stop - start:
                reason = f"{len(data):,} bytes came of {stop - start:,}"
                raise CorruptObjectError(reason, position=start, path=path)
            return data

        return buffered(fetch, size)

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        with suppress(MissingExternalFile):
            # some servers keep a folder for a while after its last file
            return self._info(path)["type"] == "file" or any(True for _ in self.list(path))
        return False

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        found = self._info(path)
        if found["type"] == "file":
            return int(found["size"])
        sizes = [file.size for file in self.list(path)]
        if not sizes:
            raise MissingExternalFile(f"{path!r} in store {self.name!r} is an empty folder.")
        return sum(sizes)

    def remove(self, path: str) -> None:
        """Remove a file or a tree, and what its interrupted writers left."""
        check_path(path)
        for each in (path,) if self._writes_whole else (path, unfinished(path)[1]):
            self._remove(each)

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """The files below a path."""
        if prefix:
            check_path(prefix)
        return self._list(prefix)

    def sync(self, path: str) -> None:
        """Nothing: what a server has acknowledged, it has."""
        check_path(path)

    def local_path(self, path: str) -> Path | None:
        """None: the store is elsewhere."""
        check_path(path)
        return None

    def zarr_store(self, path: str, *, read_only: bool) -> "zarr.abc.store.Store":
        """A Zarr store whose root is the object at `path`."""
        from djflow.storage.remote.zarr_stores import SteadyStore, zarr_store

        full = self._full(check_path(path))
        reopen = partial(zarr_store, self.adapter, self.settings, full)
        return SteadyStore(reopen(read_only=read_only), reopen, self.retry, partial(self.refusal, path))

    def filesystem(self, path: str) -> "tuple[fsspec.AbstractFileSystem, str]":
        """The file system that serves the store, and the object's path in it."""
        full = self._full(check_path(path))
        try:
            return opened.filesystem(self.adapter, self.settings), full
        except DjflowError:
            raise
        except Exception as error:
            raise self.refusal(path, error) from error

    def url(self, path: str) -> str:
        """What to show people for an object."""
        return self.adapter.get_url(self.settings.revealed(), self._full(check_path(path)))

    @property
    def _writes_whole(self) -> bool:
        return getattr(self.adapter, "writes_whole", False)  # plug-ins for DataJoint don't say

    @property
    def _root_url(self) -> str:
        try:
            return self.adapter.get_url(self.settings.revealed(), self._full(""))
        except Exception:  # noqa: BLE001 - it is asked for to tell of another error
            return f"{self.settings.protocol}://"

    def _full(self, path: str) -> str:
        return self.adapter.full_path(self.settings.revealed(), path).rstrip("/")

    def _info(self, path: str) -> dict[str, Any]:
        check_path(path)
        return self._run(path, lambda files, full: dict(files.info(full)))

    def _file_size(self, path: str) -> int:
        found = self._info(path)
        if found["type"] != "file":
            raise MissingExternalFile(f"{path!r} is a folder in store {self.name!r}, not a file.")
        return int(found["size"])

    def _list(self, prefix: str) -> Iterator[StoredFile]:
        with suppress(MissingExternalFile):
            for top, page in self._pages(prefix):
                try:
                    found = list(_files_of(page, top, prefix))
                except (AttributeError, KeyError, TypeError, ValueError) as error:  # of a plug-in's
                    raise self.refusal(prefix, error) from error
                yield from found

    def _pages(self, prefix: str) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
        """Pieces of a listing, each with the path as its names begin; the first is tried again if need be."""
        top, first, others = self._run(prefix, _find)
        yield top, first
        try:
            for page in others:
                yield top, page
        except DjflowError:
            raise
        except Exception as error:
            raise self.refusal(prefix, error) from error

    def _write(self, path: str, write: Callable[["fsspec.AbstractFileSystem", str], object]) -> None:
        check_path(path)
        self._run(path, write if self._writes_whole else move_in(write))

    def _remove(self, path: str) -> None:
        found = {file.path for file in self.list(path)}
        # buckets may have a file and a tree under one name, of which a listing tells the tree
        map_threads(self._remove_file, sorted(found | {path}) if found else [])
        if not self._writes_whole:
            self._run(path, remove_folders)

    def _remove_file(self, path: str) -> None:
        with suppress(MissingExternalFile):
            self._run(path, lambda files, full: files.rm_file(full))

    def _run(self, path: str, operation: Callable[["fsspec.AbstractFileSystem", str], Result]) -> Result:
        """The result of an operation on a file system and a full path, its errors translated."""
        full = self._full(path)
        try:
            files = opened.files(self.adapter, self.settings)
            return run(lambda: operation(files, full), self.retry, passes=passes)
        except DjflowError:
            raise
        except Exception as error:
            raise self.refusal(path, error) from error

    def refusal(self, path: str, error: Exception) -> StorageError:
        """The typed error for one that the file system, or its library, raised."""
        return refusal(error, path, self.settings, self._root_url, self._is_there)

    def _is_there(self) -> bool:
        ask = getattr(self.adapter, "is_there", None)
        files = opened.filesystem(self.adapter, self.settings)
        return ask is None or bool(ask(files, self.settings.revealed()))


def _files_of(page: dict[str, dict[str, Any]], top: str, prefix: str) -> Iterator[StoredFile]:
    for name, details in page.items():
        if details["type"] == "file" and not name.endswith("/"):
            below = name.removeprefix(top).strip("/")
            yield stored_file("/".join(filter(None, [prefix, below])), details)


def _find(
    files: "fsspec.AbstractFileSystem", full: str
) -> tuple[str, dict[str, dict[str, Any]], Iterator[dict[str, dict[str, Any]]]]:
    """A path as the names in its listing begin, the beginning of the listing, and what follows."""
    top = files._strip_protocol(full)  # noqa: SLF001 - fsspec has no other way
    pages = files.find_pages(full) if hasattr(files, "find_pages") else iter([files.find(full, detail=True)])
    return top, next(pages, {}), pages
