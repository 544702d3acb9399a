"""What every store must do, and a store in memory that does it.

```python
class TestMyStore(StoreContract):
    def make(self) -> Store:
        return MyStore(...)
```
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from pickle import dumps, loads
from typing import TYPE_CHECKING, Any, BinaryIO

from djflow.errors import MissingExternalFile, StorageError
from djflow.storage.parallel import map_threads
from djflow.storage.paths import DEFAULT_LAYOUT, StoreLayout, check_path
from djflow.storage.store import Store

if TYPE_CHECKING:
    from zarr.storage import MemoryStore as ZarrMemory


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Objects in this process's memory; `reads` lists the paths of the files that were read.

    >>> store = MemoryStore()
    >>> store.put("a/b", b"text")
    >>> store.get("a/b"), store.exists("a"), store.reads
    (b'text', True, ['a/b'])
    """

    name: str = "memory"
    layout: StoreLayout = DEFAULT_LAYOUT
    files: dict[str, bytes] = field(default_factory=dict)
    arrays: dict[str, dict[str, Any]] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def put(self, path: str, data: bytes | memoryview) -> None:
        """Keep a copy of the data."""
        self.files[check_path(path)] = bytes(data)

    def get(self, path: str) -> bytes:
        """The content of a file."""
        self.reads.append(path)
        try:
            return self.files[check_path(path)]
        except KeyError:
            raise MissingExternalFile(f"{path!r} is not in store {self.name!r}.") from None

    def open(self, path: str) -> BinaryIO:
        """A file to be read in pieces."""
        return BytesIO(self.get(path))

    def exists(self, path: str) -> bool:
        """Whether there is a file or a tree."""
        return bool(self._below(path))

    def size(self, path: str) -> int:
        """How many bytes a file has, or all files of a tree."""
        sizes = self._below(path)
        if not sizes:
            raise MissingExternalFile(f"{path!r} is not in store {self.name!r}.")
        return sum(sizes)

    def remove(self, path: str) -> None:
        """Remove a file or a tree."""
        inside = _within(check_path(path))
        for objects in (self.files, self.arrays):
            for name in list(filter(inside, objects)):
                del objects[name]

    def sync(self, path: str) -> None:
        """Nothing in memory survives a power loss."""

    def local_path(self, path: str) -> Path | None:
        """None: memory has no file system."""
        check_path(path)
        return None

    def zarr_store(self, path: str, *, read_only: bool) -> "ZarrMemory":
        """A Zarr store that shares its content with others at the same path."""
        from zarr.storage import MemoryStore as ZarrMemory

        return ZarrMemory(self.arrays.setdefault(check_path(path), {}), read_only=read_only)

    def _below(self, path: str) -> list[int]:
        inside = _within(check_path(path))
        files = [len(data) for name, data in self.files.items() if inside(name)]
        arrays = [len(data) for name, tree in self.arrays.items() if inside(name) for data in tree.values()]
        return files + arrays


def _within(path: str) -> Callable[[str], bool]:
    return lambda name: name == path or name.startswith(f"{path}/")


class StoreContract:
    """The laws of a `Store`; a test class inherits them and says how to `make` an empty one."""

    def make(self) -> Store:
        """A new, empty store."""
        raise NotImplementedError

    def test_what_was_put_is_got(self) -> None:
        """Bytes come back as they were, from memory views too."""
        store = self.make()
        for path, data in [("a.bin", b"\0\xff"), ("folder/b.bin", b""), ("folder/deep/c", bytes(100_000))]:
            store.put(path, memoryview(data))
            assert store.get(path) == data  # noqa: S101 - these are tests
            assert store.size(path) == len(data)  # noqa: S101

    def test_a_put_replaces_what_was_there(self) -> None:
        """The last content counts."""
        store = self.make()
        store.put("a", b"long content")
        store.put("a", b"new")
        assert store.get("a") == b"new"  # noqa: S101

    def test_an_opened_file_reads_in_pieces(self) -> None:
        """`open` gives a seekable binary file."""
        store = self.make()
        store.put("a", b"0123456789")
        with store.open("a") as file:
            file.seek(4)
            assert file.read(2) == b"45"  # noqa: S101

    def test_absent_objects_are_told_by_a_typed_error(self) -> None:
        """Reading and measuring what is not there raises; asking and removing does not."""
        store = self.make()
        store.put("present", b"")
        for read in (store.get, store.open, store.size):
            with raises(MissingExternalFile):
                read("folder/absent")
        assert not store.exists("folder/absent")  # noqa: S101
        store.remove("folder/absent")

    def test_a_removed_file_is_gone_and_its_neighbours_stay(self) -> None:
        """Names that only begin alike are others."""
        store = self.make()
        for path in ("a/b", "a/bc", "a/b2/c"):
            store.put(path, b"x")
        store.remove("a/b")
        assert [store.exists(path) for path in ("a/b", "a/bc", "a/b2/c")] == [False, True, True]  # noqa: S101

    def test_a_tree_is_measured_and_removed_as_one(self) -> None:
        """A folder counts as an object."""
        store = self.make()
        store.put("tree/a", b"12")
        store.put("tree/deep/b", b"345")
        assert (store.exists("tree"), store.size("tree")) == (True, 5)  # noqa: S101
        store.sync("tree")
        store.remove("tree")
        assert not store.exists("tree/deep/b")  # noqa: S101

    def test_no_path_leaves_the_store(self) -> None:
        """Unsafe paths are refused by every method."""
        store = self.make()
        for path in ("", "/etc/hosts", "../a", "a/../../b", "a//b", "a/./b", "a/", "C:/a", "a\\b", "a\0b"):
            with raises(StorageError):
                store.put(path, b"")
            for method in (store.get, store.open, store.size, store.exists, store.remove, store.local_path):
                with raises(StorageError):
                    method(path)

    def test_threads_may_write_at_once(self) -> None:
        """Also to one path: one of the contents wins, whole."""
        store = self.make()
        contents = [bytes([i]) * 10_000 for i in range(8)]
        map_threads(lambda data: store.put("same", data), contents)
        map_threads(lambda data: store.put(f"folder/{data[0]}", data), contents)
        assert store.get("same") in contents  # noqa: S101
        assert [store.get(f"folder/{data[0]}") for data in contents] == contents  # noqa: S101

    def test_a_zarr_array_is_kept_at_its_path(self) -> None:
        """What one Zarr store wrote, another at the same path reads."""
        import zarr

        store = self.make()
        array = zarr.create_array(
            store.zarr_store("arrays/one.zarr", read_only=False), shape=(4,), dtype="i4"
        )
        array[:] = [1, 2, 3, 4]
        store.sync("arrays/one.zarr")
        again = zarr.open_array(store.zarr_store("arrays/one.zarr", read_only=True), mode="r")
        assert again[1:3].tolist() == [2, 3]  # type: ignore[union-attr] # noqa: S101
        assert store.size("arrays/one.zarr") > 0  # noqa: S101
        store.remove("arrays/one.zarr")
        assert not store.exists("arrays/one.zarr")  # noqa: S101

    def test_a_store_travels_to_other_processes(self) -> None:
        """Stores can be pickled."""
        store = self.make()
        again: Store = loads(dumps(store))  # noqa: S301 - pickled one line above
        assert (again.name, again.layout) == (store.name, store.layout)  # noqa: S101


@contextmanager
def raises(error: type[Exception]) -> Iterator[None]:
    """Fail unless the block raises `error`.

    >>> with raises(StorageError):
    ...     check_path("..")
    """
    try:
        yield
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")
