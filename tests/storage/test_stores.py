import errno
import os
import stat
import sys
from pathlib import Path

import pytest

from djflow.configuration import FrozenMapping, StoreSettings
from djflow.errors import BucketInaccessible, ConfigError, MissingExternalFile, StorageError, StoreFullError
from djflow.storage.files import replacing
from djflow.storage.local import LocalStore
from djflow.storage.paths import StoreLayout
from djflow.storage.registry import open_store
from djflow.storage.store import Store
from djflow.testing.stores import MemoryStore, StoreContract

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")


class TestLocalStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "a store"

    def make(self) -> Store:
        return LocalStore(self.folder, "main")


class TestMemoryStore(StoreContract):
    def make(self) -> Store:
        return MemoryStore()


def all_files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@needs_posix
def test_a_folder_that_the_store_makes_is_private(tmp_path: Path) -> None:
    LocalStore(tmp_path / "new").put("a/b", b"")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


@needs_posix
def test_a_folder_that_exists_keeps_its_permissions_and_files_follow_the_umask(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    LocalStore(tmp_path).put("a", b"")
    umask = os.umask(0o022)
    os.umask(umask)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o775
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~umask


@needs_posix
def test_links_out_of_the_store_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"s")
    store = LocalStore(tmp_path / "store")
    store.put("here", b"")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "outside")
    (tmp_path / "store" / "inner").symlink_to(tmp_path / "store" / "here")
    for path in ("link", "link/secret", "link/new"):
        with pytest.raises(StorageError, match="symbolic link"):
            store.get(path)
        with pytest.raises(StorageError, match="symbolic link"):
            store.put(path, b"")
        with pytest.raises(StorageError, match="symbolic link"):
            store.remove(path)
    assert store.get("inner") == b""
    assert (tmp_path / "outside" / "secret").read_bytes() == b"s"


@needs_posix
def test_a_store_reached_through_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "real")
    store = LocalStore(tmp_path / "alias")
    store.put("a/b", b"x")
    assert store.get("a/b") == b"x"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a/folder/file", b"x")
    with pytest.raises(StorageError):
        store.put("a/folder", b"a folder is in the way")
    assert all_files(tmp_path) == [os.path.join("a", "folder", "file")]  # noqa: PTH118 - as the system writes it


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full")
def test_a_full_disk_has_its_own_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = LocalStore(tmp_path, "main")
    store.put("a", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreFullError, match="No room for 'a' in store 'main'"):
            store.put("a", b"new")
    assert store.get("a") == b"old"
    assert all_files(tmp_path) == ["a"]


def test_a_store_whose_folder_is_gone_is_inaccessible_not_empty(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "unmounted", "main")
    with pytest.raises(BucketInaccessible, match="does not exist"):
        store.get("a")
    with pytest.raises(BucketInaccessible, match="does not exist"):
        list(store.list(""))


def test_an_absent_object_is_named_with_its_store(tmp_path: Path) -> None:
    with pytest.raises(MissingExternalFile, match="'x/y' is not in store 'main'"):
        LocalStore(tmp_path, "main").get("x/y")


def test_what_an_interrupted_writer_left_is_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    with store.create("folder/a"):
        assert [file.path.endswith(".tmp") for file in store.list("folder")] == [True]
    assert [file.path for file in store.list("")] == ["folder/a"]


@needs_posix
def test_links_are_not_listed(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put("a", b"")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"s")
    (tmp_path / "store" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "store" / "file").symlink_to(tmp_path / "outside" / "secret")
    assert [file.path for file in store.list("")] == ["a"]
    for path in ("folder", "file"):
        with pytest.raises(StorageError, match="symbolic link"):
            store.list(path)
        with pytest.raises(StorageError, match="symbolic link"):
            store.filesystem(path)


def test_a_name_too_long_for_the_file_system_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        LocalStore(tmp_path).put("a" * 300, b"")


def test_settings_open_a_store_with_its_layout(tmp_path: Path) -> None:
    settings = StoreSettings(
        "main",
        "file",
        str(tmp_path),
        hash_prefix="h",
        schema_prefix="s",
        subfolding=(2, 2),
        partition_pattern="a",
    )
    store = open_store(settings)
    assert store.name == "main"
    assert store.layout == StoreLayout("h", "s", (2, 2), "a", 8)
    store.put("x", b"1")
    assert (tmp_path / "x").read_bytes() == b"1"


def test_opening_a_store_touches_nothing(tmp_path: Path) -> None:
    open_store(StoreSettings("main", "file", str(tmp_path / "later")))
    assert not (tmp_path / "later").exists()


@pytest.mark.parametrize(
    ("protocol", "reason"),
    [("s3", "s3 store is missing: bucket"), ("flie", "Did you mean 'file'"), ("", "Unknown protocol: ''")],
)
def test_an_unsupported_store_is_a_configuration_error(protocol: str, reason: str) -> None:
    settings = StoreSettings("cloud", protocol, "lab", options=FrozenMapping({"secret_key": "hunter2"}))
    with pytest.raises(ConfigError, match=reason) as caught:
        open_store(settings)
    assert "hunter2" not in str(caught.value)
    assert caught.value.key == "stores.cloud"


def test_a_folder_store_needs_a_location() -> None:
    with pytest.raises(ConfigError, match="no location"):
        open_store(StoreSettings("main", "file"))


def test_a_file_that_is_replaced_keeps_its_links_and_rights(tmp_path: Path) -> None:
    target, link = tmp_path / "a.svg", tmp_path / "link.svg"
    target.write_text("old")
    target.chmod(0o600)
    link.symlink_to(target)
    with pytest.raises(TypeError), replacing(link) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert target.read_text() == "old"
    with replacing(link) as file:
        file.write(b"new")
    assert (link.is_symlink(), target.read_text(), target.stat().st_mode & 0o777) == (True, "new", 0o600)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "link.svg"]
    with replacing(Path(os.devnull)) as file:
        file.write(b"nothing")
    assert not Path(os.devnull).is_file()
