"""What every store must do, and a store in memory that does it.

```python
class TestMyStore(StoreContract):
    def make(self) -> Store:
        return MyStore(...)
```
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from pickle import dumps, loads

from djflow.errors import MissingExternalFile, StorageError
from djflow.storage.parallel import map_threads
from djflow.storage.store import Store
from djflow.testing.memory import MemoryStore

__all__ = ["MemoryStore", "StoreContract", "raises"]


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

    def test_files_are_copied_in_and_out(self) -> None:
        """Also of more than one piece, and over one that was there."""
        store = self.make()
        data = bytes(range(256)) * 40_000
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "source"), Path(folder, "target")
            source.write_bytes(data)
            store.put_file("folder/copy", source)
            target.write_bytes(b"old")
            store.get_file("folder/copy", target)
            assert target.read_bytes() == data  # noqa: S101
            source.write_bytes(b"")
            store.put_file("folder/copy", source)
            assert store.size("folder/copy") == 0  # noqa: S101

    def test_a_failed_copy_changes_nothing(self) -> None:
        """Neither where the source is absent nor where the target cannot be."""
        store = self.make()
        store.put("a", b"old")
        with tempfile.TemporaryDirectory() as folder:
            with raises(StorageError):
                store.put_file("a", Path(folder, "absent"))
            with raises(StorageError):
                store.put_file("a", Path(folder))
            with raises(MissingExternalFile):
                store.get_file("absent", Path(folder, "target"))
            with raises(StorageError):
                store.get_file("a", Path(folder, "no folder", "target"))
            assert list(Path(folder).iterdir()) == []  # noqa: S101
        assert store.get("a") == b"old"  # noqa: S101

    def test_a_created_file_appears_when_its_block_ends(self) -> None:
        """Until then the old one is there."""
        store = self.make()
        store.put("a", b"old")
        with store.create("a") as file, store.create("folder/b") as other:
            for piece in (b"12", b"", b"345"):
                file.write(piece)
            assert store.get("a") == b"old"  # noqa: S101
            other.write(b"6")
            assert not store.exists("folder/b")  # noqa: S101
        assert (store.get("a"), store.get("folder/b")) == (b"12345", b"6")  # noqa: S101

    def test_a_created_file_whose_block_raises_never_appears(self) -> None:
        """The block's own error comes out, and no trace is left, however much was written."""
        store = self.make()
        store.put("a", b"old")
        for path in ("a", "b"):
            with raises(FileNotFoundError), store.create(path) as file:
                for _ in range(12):
                    file.write(bytes(1 << 20))
                raise FileNotFoundError
        assert (store.get("a"), store.exists("b")) == (b"old", False)  # noqa: S101
        assert [file.path for file in store.list("")] == ["a"]  # noqa: S101

    def test_a_listing_tells_paths_sizes_and_times(self) -> None:
        """Of all files below a path, names that only begin alike left out."""
        store = self.make()
        sizes = {"a/b": 1, "a/c/d": 2, "a/c/_e f=1%2F+#?.x": 3, "ab": 4, "a/cc": 5}
        for path, size in sizes.items():
            store.put(path, bytes(size))
        now = datetime.now(UTC)
        found = list(store.list(""))
        assert {file.path: file.size for file in found} == sizes  # noqa: S101
        assert all(abs(file.modified - now) < timedelta(minutes=1) for file in found)  # noqa: S101
        assert {file.path for file in store.list("a/c")} == {"a/c/d", "a/c/_e f=1%2F+#?.x"}  # noqa: S101
        assert [file.path for file in store.list("ab")] == ["ab"]  # noqa: S101
        assert list(store.list("a/x")) == []  # noqa: S101

    def test_names_with_any_character_are_kept_apart(self) -> None:
        """Patterns, escapes, accents and blanks are letters like others."""
        store = self.make()
        names = [
            "*",
            "[a]",
            "a?b",
            "a b",
            "%2F",
            "ü",
            "u\u0308",
            "日本",
            "a#b",
            "a&b=c",
            "~",
            "..a",
            "$HOME",
            "{x}",
        ]
        for name in names:
            store.put(f"odd/{name}", name.encode())
        assert [store.get(f"odd/{name}").decode() for name in names] == names  # noqa: S101
        assert {file.path for file in store.list("odd")} == {f"odd/{name}" for name in names}  # noqa: S101
        store.remove("odd/*")
        assert store.exists("odd/a b")  # noqa: S101

    def test_a_file_system_reads_and_writes_the_same_files(self) -> None:
        """What users do through `fsspec` and what the store does is one."""
        store = self.make()
        store.put("folder/a", b"text")
        files, path = store.filesystem("folder/a")
        assert (files.cat_file(path), files.size(path)) == (b"text", 4)  # noqa: S101
        with files.open(path, "rb") as file:
            assert file.read(2) == b"te"  # noqa: S101
        files, path = store.filesystem("folder/b")
        with files.open(path, "wb") as file:
            file.write(b"more")
        assert store.get("folder/b") == b"more"  # noqa: S101
        files, path = store.filesystem("folder")
        assert sorted(name[-1] for name in files.find(path)) == ["a", "b"]  # noqa: S101

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
            with raises(StorageError), store.create(path):
                pass
            with raises(StorageError):
                store.filesystem(path)
            with raises(StorageError):
                store.list(path or "..")
            with raises(StorageError):
                store.zarr_store(path, read_only=False)
            with raises(StorageError):
                store.put_file(path, Path(__file__))
            with raises(StorageError):
                store.get_file(path, Path("never"))

    def test_threads_may_write_at_once(self) -> None:
        """Also to one path: one of the contents wins, whole."""
        store = self.make()
        contents = [bytes([i]) * 10_000 for i in range(8)]
        map_threads(lambda data: store.put("same", data), contents)
        map_threads(lambda data: store.put(f"folder/{data[0]}", data), contents)
        assert store.get("same") in contents  # noqa: S101
        assert [store.get(f"folder/{data[0]}") for data in contents] == contents  # noqa: S101

    def test_a_batch_writes_what_the_store_has_then(self) -> None:
        """Whether what is in it survives a power loss is told by the batch's end alone."""
        store = self.make()
        with store.batch() as batch:
            map_threads(lambda number: batch.put(f"folder/{number}/file", bytes([number])), range(9))
            with batch.create("pieces") as file:
                file.write(b"ab")
        assert store.get("pieces") == b"ab"  # noqa: S101
        assert [store.get(f"folder/{number}/file")[0] for number in range(9)] == [*range(9)]  # noqa: S101

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
        files = {file.path: file.size for file in store.list("arrays/one.zarr")}
        assert store.size("arrays/one.zarr") == sum(files.values()) > 0  # noqa: S101
        for path in files:
            store.put(path.replace("one", "two"), store.get(path))
        copy = zarr.open_array(store.zarr_store("arrays/two.zarr", read_only=True), mode="r")
        assert copy[:].tolist() == [1, 2, 3, 4]  # type: ignore[union-attr] # noqa: S101
        store.remove("arrays/one.zarr")
        assert not store.exists("arrays/one.zarr")  # noqa: S101

    def test_a_zarr_array_may_have_any_path(self) -> None:
        """Its files lie below that path, whatever its letters."""
        import zarr

        store, path = self.make(), "_schema/subject=a%2Fb/date=1 #2?/x_ü*.zarr"
        zarr.create_array(store.zarr_store(path, read_only=False), shape=(), dtype="i4")
        assert [file.path for file in store.list("")] == [f"{path}/zarr.json"]  # noqa: S101

    def test_a_store_travels_to_other_processes(self) -> None:
        """Stores can be pickled."""
        store = self.make()
        again: Store = loads(dumps(store))  # noqa: S301 - pickled one line above
        assert (again.name, again.layout) == (store.name, store.layout)  # noqa: S101


@contextmanager
def raises(error: type[Exception]) -> Iterator[None]:
    """Fail unless the block raises `error`.

    >>> with raises(KeyError):
    ...     {}["absent"]
    """
    try:
        yield
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")
