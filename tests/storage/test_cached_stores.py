"""What is read through a cache is what the store has, and no second request tells it."""

import errno
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from djflow.configuration import Settings, changed
from djflow.configuration.cache import CacheSettings
from djflow.errors import BucketInaccessible, ConfigError, MissingExternalFile
from djflow.storage.cache_folder import CacheFolder
from djflow.storage.cached import CachedStore, without_cache
from djflow.storage.codecs.npy_ref import NpyRef
from djflow.storage.parallel import map_threads
from djflow.storage.registry import open_store
from djflow.storage.store import Store
from djflow.testing.s3_server import S3Endpoint
from djflow.testing.stores import MemoryStore, StoreContract


class TestCachedStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "cache"

    def make(self) -> Store:
        return CachedStore(MemoryStore(), CacheSettings(self.folder), "memory")


class TestCachedS3(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, s3_endpoint: S3Endpoint, tmp_path: Path) -> None:
        self.endpoint, self.folder = s3_endpoint, tmp_path / "cache"

    def make(self) -> Store:
        place = self.endpoint.settings()
        return CachedStore(open_store(place), CacheSettings(self.folder), place.location)


@pytest.fixture
def remote() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def cached(remote: MemoryStore, tmp_path: Path) -> CachedStore:
    return CachedStore(remote, CacheSettings(tmp_path / "cache"), "memory", ("_hash", "_schema"))


def _copies(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


def test_a_file_is_fetched_once_however_it_is_read(
    remote: MemoryStore, cached: CachedStore, tmp_path: Path
) -> None:
    remote.put("_schema/a", b"0123456789")
    assert cached.get("_schema/a") == b"0123456789"
    with cached.open("_schema/a") as file:
        file.seek(4)
        assert file.read(2) == b"45"
    cached.get_file("_schema/a", tmp_path / "copy")
    place = cached.local_path("_schema/a")
    assert place is not None
    assert (tmp_path / "copy").read_bytes() == place.read_bytes() == b"0123456789"
    assert remote.reads == ["_schema/a"]


def test_files_of_users_are_read_where_they_are(remote: MemoryStore, cached: CachedStore) -> None:
    remote.put("raw/a", b"old")
    assert cached.get("raw/a") == b"old"
    remote.put("raw/a", b"new")
    assert cached.get("raw/a") == b"new"
    assert cached.local_path("raw/a") is None


def test_what_is_removed_leaves_the_cache(remote: MemoryStore, cached: CachedStore, tmp_path: Path) -> None:
    for path in ("_schema/a", "_schema/tree/b", "_schema/tree/c"):
        remote.put(path, path.encode())
        cached.get(path)
    assert len(_copies(tmp_path / "cache")) == 3
    cached.remove("_schema/tree")
    cached.remove("_schema/a")
    assert _copies(tmp_path / "cache") == []
    with pytest.raises(MissingExternalFile):
        cached.get("_schema/a")


def test_a_copy_that_was_cut_off_is_fetched_again(
    remote: MemoryStore, cached: CachedStore, tmp_path: Path
) -> None:
    remote.put("_schema/a", b"whole content")
    cached.get("_schema/a")
    (copy,) = _copies(tmp_path / "cache")
    copy.chmod(0o600)
    copy.write_bytes(b"whole")
    assert cached.get("_schema/a") == b"whole content"
    assert len(remote.reads) == 2


def test_two_stores_with_one_folder_do_not_mix(tmp_path: Path) -> None:
    shared = CacheSettings(tmp_path)
    one, other = MemoryStore(files={"a": b"1"}), MemoryStore(files={"a": b"2"})
    assert CachedStore(one, shared, "one").get("a") == b"1"
    assert CachedStore(other, shared, "other").get("a") == b"2"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_copies_are_private(remote: MemoryStore, cached: CachedStore, tmp_path: Path) -> None:
    remote.put("_schema/a", b"text")
    cached.get("_schema/a")
    (copy,) = _copies(tmp_path / "cache")
    assert (tmp_path / "cache" / "files").stat().st_mode & 0o777 == 0o700
    assert copy.stat().st_mode & 0o777 == 0o400


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    cache = CacheFolder(tmp_path, size=1000)
    for age, key in ((3000, "a"), (2000, "b"), (1000, "c")):
        file = cache.fetch(key, lambda target: target.write_bytes(bytes(300)))
        assert file is not None
        os.utime(file, (0, time.time() - age))
    assert cache.find("a") is not None  # used, just now
    cache.fetch("d", lambda target: target.write_bytes(bytes(300)))
    assert [cache.find(key) is not None for key in "abcd"] == [True, False, True, True]
    assert sum(file.stat().st_size for file in _copies(tmp_path)) <= 1000


def test_a_file_that_would_push_out_all_others_is_read_directly(remote: MemoryStore, tmp_path: Path) -> None:
    cached = CachedStore(remote, CacheSettings(tmp_path, size=1000), "memory")
    remote.put("a", bytes(501))
    assert cached.get("a") == bytes(501)
    with cached.open("a") as file:
        assert file.read() == bytes(501)
    assert cached.local_path("a") is None
    assert _copies(tmp_path) == []


def test_threads_that_want_one_file_fetch_it_once(remote: MemoryStore, cached: CachedStore) -> None:
    remote.put("_schema/a", b"text")
    assert set(map_threads(cached.get, ["_schema/a"] * 16)) == {b"text"}
    assert remote.reads == ["_schema/a"]


def test_a_full_disk_fails_no_read(
    remote: MemoryStore, cached: CachedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    remote.put("_schema/a", b"text")
    monkeypatch.setattr(Path, "write_bytes", full)
    assert cached.get("_schema/a") == b"text"
    with cached.open("_schema/a") as file:
        assert file.read() == b"text"
    cached.get_file("_schema/a", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"text"


def test_a_folder_that_cannot_be_fails_no_read(remote: MemoryStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    remote.put("a", b"text")
    cached = CachedStore(remote, CacheSettings(tmp_path / "file" / "cache"), "memory")
    assert cached.get("a") == b"text"
    with cached.open("a") as file:
        assert file.read() == b"text"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs owners of files")
def test_copies_in_the_folder_of_somebody_else_are_not_believed(
    remote: MemoryStore, cached: CachedStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote.put("_schema/a", b"text")
    cached.get("_schema/a")
    [copy] = _copies(tmp_path)
    copy.chmod(0o600)
    copy.write_bytes(b"evil")
    assert cached.get("_schema/a") == b"evil"
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)  # noqa: PTH116 - as it is
    assert cached.get("_schema/a") == b"text"


def test_what_the_store_says_is_raised(cached: CachedStore, tmp_path: Path) -> None:
    for read in (cached.get, cached.open):
        with pytest.raises(MissingExternalFile):
            read("_schema/absent")
    assert _copies(tmp_path) == []
    gone: Any = CachedStore(_Unreachable(), CacheSettings(tmp_path), "gone")
    with pytest.raises(BucketInaccessible):
        gone.get("a")


class _Unreachable(MemoryStore):
    def get(self, path: str) -> bytes:
        raise BucketInaccessible(path)


def test_what_a_dead_process_left_is_swept(tmp_path: Path) -> None:
    old, young = tmp_path / "unfinished" / "old", tmp_path / "unfinished" / "young"
    old.parent.mkdir()
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (0, time.time() - 7200))
    CacheFolder(tmp_path, size=1000).fetch("a", lambda target: target.write_bytes(b"x"))
    assert (old.exists(), young.exists()) == (False, True)


_READER = """
import pickle, sys, os
cached = pickle.loads(bytes.fromhex(sys.argv[1]))
for number in range(40):
    for path in (f"_schema/{number}", f"_schema/{39 - number}"):
        assert cached.get(path) == path.encode() * 100, path
"""


def test_processes_share_a_small_cache(tmp_path: Path, s3_store: Store) -> None:
    paths = [f"_schema/{number}" for number in range(40)]
    map_threads(lambda path: s3_store.put(path, path.encode() * 100), paths)
    cached = CachedStore(s3_store, CacheSettings(tmp_path, size=20_000), "s3", ("_schema",))
    command = [sys.executable, "-c", _READER, pickle.dumps(cached).hex()]
    readers = [subprocess.Popen(command) for _ in range(2)]
    assert [reader.wait(60) for reader in readers] == [0, 0]
    kept = _copies(tmp_path)
    assert 0 < sum(file.stat().st_size for file in kept) <= 20_000 * 1.05
    assert list((tmp_path / "unfinished").iterdir()) == []


@pytest.mark.parametrize("shards", [None, (8,)])
def test_chunks_and_shards_come_through_the_cache(
    s3_store: Store, tmp_path: Path, shards: tuple[int, ...] | None
) -> None:
    path, values = "_schema/a.zarr", np.arange(16.0)
    target = s3_store.zarr_store(path, read_only=False)
    zarr.create_array(target, data=values, chunks=(4,), shards=shards)
    cached = CachedStore(s3_store, CacheSettings(tmp_path), "s3")

    def opened() -> Any:
        return zarr.open_array(cached.zarr_store(path, read_only=True), mode="r")

    assert opened()[5:7].tolist() == [5, 6]
    assert opened()[:].tolist() == values.tolist()
    for file in list(s3_store.list(path)):
        s3_store.remove(file.path)
    assert opened()[:].tolist() == values.tolist()


def test_arrays_are_mapped_from_the_cache(remote: MemoryStore, cached: CachedStore, tmp_path: Path) -> None:
    values = np.arange(12.0)
    np.save(tmp_path / "a.npy", values)
    remote.put("_schema/a.npy", (tmp_path / "a.npy").read_bytes())
    ref = NpyRef(cached, "_schema/a.npy", values.dtype, values.shape)
    assert isinstance(ref.load(mmap_mode="r"), np.memmap)
    assert ref[3:5].tolist() == [3, 4]
    assert remote.reads == ["_schema/a.npy"]


def test_a_thread_that_fails_to_fetch_leaves_it_to_the_next(tmp_path: Path) -> None:
    cache, first = CacheFolder(tmp_path, size=1000), threading.Event()

    def fail(_target: Path) -> None:
        first.set()
        raise MissingExternalFile("gone")

    with pytest.raises(MissingExternalFile):
        cache.fetch("a", fail)
    assert first.is_set()
    assert cache.fetch("a", lambda target: target.write_bytes(b"x")) is not None


def test_settings_ask_for_a_cache(s3_endpoint: S3Endpoint, tmp_path: Path) -> None:
    plain = s3_endpoint.settings()
    given_here = {**plain.spec(), "cache": {"folder": str(tmp_path), "size": "2 MB"}}
    store = open_store(changed(Settings(home=tmp_path), {"stores.main": given_here}).stores.named("main"))
    assert isinstance(store, CachedStore)
    assert without_cache(store) is store.store
    assert store.settings == CacheSettings(tmp_path, 2_000_000)
    assert store.sections == ("_hash", "_schema")
    assert plain.revealed().get("cache") is None
    store.put("_schema/a", b"text")
    assert pickle.loads(pickle.dumps(store)).get("_schema/a") == b"text"  # noqa: S301 - pickled in the same line
    assert len(_copies(tmp_path)) == 1


@pytest.mark.parametrize("cache", ["", {"size": "2GB"}, {"folder": "a", "size": "much"}, {"dir": "a"}, 5])
def test_a_cache_that_cannot_be_is_refused(cache: object) -> None:
    store = {"protocol": "s3", "bucket": "b", "location": "x", "cache": cache}
    with pytest.raises(ConfigError, match="a folder, or"):
        changed(Settings(), {"stores.main": store})


def test_a_folder_of_this_machine_needs_no_cache() -> None:
    store = {"protocol": "file", "location": "x", "cache": "y"}
    with pytest.raises(ConfigError, match="without a cache"):
        changed(Settings(), {"stores.main": store}).stores.named("main")


@given(wanted=st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans()), max_size=30))
@settings(max_examples=30)
def test_a_cache_never_grows_beyond_its_size_nor_mixes_files(wanted: list[tuple[str, bool]]) -> None:
    sizes = {key: 100 * place for place, key in enumerate("abcdef")}
    with TemporaryDirectory() as folder:
        cache = CacheFolder(Path(folder), size=900)
        for key, is_dropped in wanted:
            content = key.encode() * sizes[key]
            found = cache.fetch(key, _writing(content))
            assert (found is None) == (sizes[key] > cache.largest)
            assert found is None or found.read_bytes() == content
            assert sum(file.stat().st_size for file in _copies(Path(folder))) <= 900
            if is_dropped:
                cache.drop(key)
                assert cache.find(key) is None


def _writing(content: bytes) -> Callable[[Path], object]:
    return lambda target: target.write_bytes(content)
