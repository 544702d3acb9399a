import errno
import os
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from djflow.configuration import FrozenMapping, StoreSettings
from djflow.configuration.secret import Secret
from djflow.errors import (
    BucketInaccessible,
    CorruptObjectError,
    MissingExternalFile,
    StorageError,
    StoreFullError,
)
from djflow.storage.adapters import StorageAdapter
from djflow.storage.registry import open_store
from djflow.storage.remote.failures import Failure, diagnose
from djflow.storage.remote.retry import RetryPolicy
from djflow.storage.remote.store import RemoteStore
from djflow.storage.store import Store
from djflow.testing.stores import StoreContract

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK = RetryPolicy(attempts=6, first=0.0001)


class MemoryAdapter(StorageAdapter):
    protocol = "test-memory"
    writes_whole = True

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        del spec
        files = MemoryFileSystem(skip_instance_cache=True)
        files.store, files.pseudo_dirs = {}, [""]  # its own, not those of the class
        return files


class FolderAdapter(StorageAdapter):
    """A file system that shows half-written files."""

    protocol = "test-folder"

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        del spec
        return LocalFileSystem(skip_instance_cache=True)


class Unsteady(MemoryFileSystem):  # type: ignore[misc]
    """Fails every third operation, as networks do."""

    cachable = False  # each store has one of its own, with its own failures

    def __init__(self) -> None:
        super().__init__(skip_instance_cache=True)
        self.store: dict[str, Any] = {}
        self.pseudo_dirs = [""]
        self.calls = count(1)
        self.failures = 0
        self.steady = False

    def _stumble(self) -> None:
        if next(self.calls) % 3 == 0 and not self.steady:
            self.failures += 1
            raise ConnectionResetError("the other side hung up") if self.failures % 2 else TimeoutError

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> Any:
        self._stumble()
        return super().cat_file(path, start=start, end=end, **options)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **options: Any) -> None:
        self._stumble()
        super().pipe_file(path, value, mode=mode, **options)
        self._stumble()

    def info(self, path: str, **options: Any) -> Any:
        self._stumble()
        return super().info(path, **options)

    def find(self, path: str, **options: Any) -> Any:
        self._stumble()
        return super().find(path, **options)

    def rm_file(self, path: str) -> None:
        self._stumble()
        super().rm_file(path)


class UnsteadyAdapter(MemoryAdapter):
    protocol = "test-unsteady"

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        del spec
        return Unsteady()


class TestMemoryFileSystem(StoreContract):
    def make(self) -> Store:
        return open_store(StoreSettings("memory", "test-memory", uuid4().hex))


class TestFolderFileSystem(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make(self) -> Store:
        return open_store(StoreSettings("folder", "test-folder", str(self.folder / uuid4().hex)))


def unsteady() -> Store:
    return RemoteStore(
        StoreSettings("unsteady", "test-unsteady", uuid4().hex), UnsteadyAdapter(), retry=QUICK
    )


class TestUnsteadyFileSystem(StoreContract):
    def make(self) -> Store:
        return unsteady()

    def test_a_file_system_reads_and_writes_the_same_files(self) -> None:
        store = unsteady()
        store.filesystem("a")[0].steady = True  # in users' own hands nothing is tried again
        self.make = lambda: store  # type: ignore[method-assign]
        super().test_a_file_system_reads_and_writes_the_same_files()


def test_failures_that_pass_are_not_seen() -> None:
    store = unsteady()
    for number in range(20):
        store.put("a", bytes([number]))
        assert store.get("a") == bytes([number])
    assert store.filesystem("a")[0].failures > 0


class FailingAdapter(MemoryAdapter):
    """Every write and read raises `error`, and says so of the store's secret."""

    protocol = "test-failing"
    allowed_keys = ("secret_key",)
    error: Exception = OSError()
    attempts = 0

    def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
        files = super().create_filesystem(spec)

        def fail(*_: Any, **__: Any) -> None:
            FailingAdapter.attempts += 1
            raise FailingAdapter.error

        files.pipe_file = files.cat_file = fail
        return files


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> RemoteStore:
    monkeypatch.setattr(FailingAdapter, "attempts", 0)
    options = FrozenMapping({"secret_key": Secret("hunter2")})
    return RemoteStore(
        StoreSettings("main", "test-failing", uuid4().hex, options=options), FailingAdapter(), retry=QUICK
    )


class Answered(Exception):  # noqa: N818 - as libraries of clouds raise it
    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(f"the server answered {status} for hunter2")
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


@pytest.mark.parametrize(
    ("error", "expected", "attempts"),
    [
        (Answered(503, "SlowDown"), BucketInaccessible, 6),
        (Answered(500), BucketInaccessible, 6),
        (TimeoutError("too slow"), BucketInaccessible, 6),
        (ConnectionResetError("hunter2"), BucketInaccessible, 6),
        (Answered(403), BucketInaccessible, 1),
        (PermissionError("hunter2 is no key"), BucketInaccessible, 1),
        (ConnectionRefusedError(), BucketInaccessible, 1),
        (Answered(404), MissingExternalFile, 1),
        (FileNotFoundError("a"), MissingExternalFile, 1),
        (Answered(404, "NoSuchBucket"), BucketInaccessible, 1),
        (Answered(507), StoreFullError, 1),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), StoreFullError, 1),
        (ValueError("hunter2"), StorageError, 1),
    ],
    ids=repr,
)
def test_what_passes_is_tried_again_and_the_rest_is_told_at_once(
    failing: RemoteStore,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    expected: type[StorageError],
    attempts: int,
) -> None:
    monkeypatch.setattr(FailingAdapter, "error", error)
    operations: list[Callable[[], object]] = [lambda: failing.put("a", b""), lambda: failing.get("a")]
    for tried, operation in enumerate(operations, start=1):
        with pytest.raises(StorageError) as caught:
            operation()
        assert type(caught.value) is expected
        assert "'main'" in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert FailingAdapter.attempts == tried * attempts


def test_what_the_server_says_counts_more_than_what_a_library_makes_of_it() -> None:
    error = FileNotFoundError("The specified bucket does not exist")
    error.__cause__ = Answered(404, "NoSuchBucket")
    assert diagnose(error) is Failure.UNREACHABLE


def test_a_store_shows_no_secrets(failing: RemoteStore) -> None:
    assert "hunter2" not in repr(failing)
    assert "hunter2" not in str(failing.settings)


def test_a_write_that_fails_halfway_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    store = open_store(StoreSettings("folder", "test-folder", str(tmp_path / "store")))
    store.put("folder/a", b"old")
    files, _ = store.filesystem("folder/a")

    def write_half(path: str, value: bytes, **_: Any) -> None:
        Path(path).write_bytes(value[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    files.pipe_file = write_half
    for path in ("folder/a", "folder/b"):
        with pytest.raises(StoreFullError):
            store.put(path, b"new")
    assert [file.name for file in (tmp_path / "store").rglob("*") if file.is_file()] == ["a"]
    assert store.get("folder/a") == b"old"


def test_an_object_that_came_short_is_told() -> None:
    store = open_store(StoreSettings("memory", "test-memory", uuid4().hex))
    store.put("a", b"0123456789")
    files, _ = store.filesystem("a")
    files.cat_file = lambda path, start=None, end=None: b"01"[start:end]  # noqa: ARG005
    with store.open("a") as file, pytest.raises(CorruptObjectError, match="2 bytes came of 10"):
        file.read()


def test_a_copy_that_came_short_is_told_and_not_kept(tmp_path: Path) -> None:
    store = open_store(StoreSettings("memory", "test-memory", uuid4().hex))
    store.put("a", b"0123456789")
    files, _ = store.filesystem("a")
    files.get_file = lambda _source, target: Path(target).write_bytes(b"01234")
    with pytest.raises(CorruptObjectError, match="5 bytes came of 10"):
        store.get_file("a", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_opening_a_store_opens_no_file_system() -> None:
    class Unopened(MemoryAdapter):
        protocol = "test-unopened"

        def create_filesystem(self, spec: dict[str, Any]) -> AbstractFileSystem:
            raise AssertionError(spec)

    store = open_store(StoreSettings("main", "test-unopened", "lab"))
    assert store.local_path("a") is None


def test_threads_share_one_file_system() -> None:
    store = open_store(StoreSettings("memory", "test-memory", uuid4().hex))
    found: list[object] = []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        found.append(store.filesystem("a")[0])

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
