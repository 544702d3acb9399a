"""A store in this process's memory."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from djflow.errors import MissingExternalFile
from djflow.storage.files import copying_from, copying_to
from djflow.storage.paths import DEFAULT_LAYOUT, StoreLayout, check_path
from djflow.storage.store import StoredFile

if TYPE_CHECKING:
    import fsspec
    from zarr.core.buffer import Buffer
    from zarr.storage import MemoryStore as ZarrMemory


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Objects in this process's memory, all in `files`; `arrays` has those that Zarr wrote, by their root.

    `reads` lists the paths of the files that were read, `written` when each was last put.

    >>> store = MemoryStore()
    >>> store.put("a/b", b"text")
    >>> store.get("a/b"), store.exists("a"), store.reads
    (b'text', True, ['a/b'])
    """

    name: str = "memory"
    layout: StoreLayout = DEFAULT_LAYOUT
    files: dict[str, bytes] = field(default_factory=dict)
    written: dict[str, datetime] = field(default_factory=dict)
    arrays: dict[str, "MemoryTree"] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Keep a copy of the data."""
        self.files[check_path(path)] = bytes(data)
        self.written[path] = datetime.now(UTC)

    def get(self, path: str) -> bytes:
        """The content of a file."""
        self.reads.append(path)
        try:
            return self.files[check_path(path)]
        except KeyError:
            raise MissingExternalFile(f"{path!r} is not in store {self.name!r}.") from None

    def put_file(self, path: str, source: Path) -> None:
        """Keep a copy of a file."""
        with copying_from(source) as file:
            self.put(path, file.read())

    def get_file(self, path: str, target: Path) -> None:
        """Copy the content of a file to this machine."""
        data = self.get(path)
        with copying_to(target) as file:
            file.write(data)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        """Write a file in pieces."""
        check_path(path)
        file = BytesIO()
        yield file
        self.put(path, file.getvalue())

    def open(self, path: str) -> BinaryIO:
        """A file to be read in pieces."""
        return BytesIO(self.get(path))

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        return any(map(_within(check_path(path)), self.files))

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        found = [file.size for file in self.list(check_path(path))]
        if not found:
            raise MissingExternalFile(f"{path!r} is not in store {self.name!r}.")
        return sum(found)

    def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        inside = _within(check_path(path))
        objects: tuple[MutableMapping[str, object], ...] = (self.files, self.written, self.arrays)  # type: ignore[assignment]
        for named in objects:
            for name in list(filter(inside, named)):
                del named[name]

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """The files below a path."""
        inside = _within(check_path(prefix)) if prefix else bool
        names = [name for name in tuple(self.files) if inside(name)]
        return (StoredFile(name, len(self.files[name]), self.written[name]) for name in names)

    def batch(self) -> "AbstractContextManager[MemoryStore]":
        """The store itself."""
        return nullcontext(self)

    def sync(self, path: str) -> None:
        """Nothing in memory survives a power loss."""

    def local_path(self, path: str) -> Path | None:
        """None: memory has no file system."""
        check_path(path)
        return None

    def zarr_store(self, path: str, *, read_only: bool) -> "ZarrMemory":
        """A Zarr store over the files below a path."""
        from zarr.storage import MemoryStore as ZarrMemory

        tree = self.arrays.get(check_path(path)) or MemoryTree(self, path)
        if not read_only:
            self.arrays[path] = tree
        return ZarrMemory(tree, read_only=read_only)

    def filesystem(self, path: str) -> "tuple[fsspec.AbstractFileSystem, str]":
        """A file system of these files."""
        from djflow.testing.memory_files import MemoryFiles

        return MemoryFiles(self), check_path(path)


class MemoryTree(MutableMapping[str, "Buffer"]):
    """The files of a store below a path, as Zarr's store in memory wants to have them."""

    def __init__(self, store: MemoryStore, root: str) -> None:
        self._store, self._root = store, root

    def __getitem__(self, key: str) -> "Buffer":
        from zarr.core.buffer import default_buffer_prototype

        return default_buffer_prototype().buffer.from_bytes(self._store.files[f"{self._root}/{key}"])

    def __setitem__(self, key: str, value: "Buffer") -> None:
        self._store.put(f"{self._root}/{key}", value.to_bytes())

    def __delitem__(self, key: str) -> None:
        del self._store.files[f"{self._root}/{key}"]

    def __iter__(self) -> Iterator[str]:
        below = f"{self._root}/"
        return (name.removeprefix(below) for name in tuple(self._store.files) if name.startswith(below))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _within(path: str) -> Callable[[str], bool]:
    return lambda name: name == path or name.startswith(f"{path}/")
