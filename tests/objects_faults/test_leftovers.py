"""What a writer that was killed has not finished goes with its object."""

from pathlib import Path

import pytest

from djflow.storage.files import WholeFile
from djflow.storage.local import LocalStore
from djflow.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def _abandon(store: Store, path: str) -> None:
    """Half a file, as if its writer had been killed."""
    place = store.local_path(path)
    assert place is not None
    place.parent.mkdir(parents=True, exist_ok=True)
    writing = WholeFile(place)
    writing.file.write(b"half")
    writing.file.close()


@pytest.mark.parametrize("name", ["a.npy", "long" * 60])
def test_it_is_removed_with_the_object_and_nothing_else_is(store: LocalStore, name: str) -> None:
    store.put("folder/b.npy", b"of another row")
    store.put("folder/.b.npy.tmp.npy", b"of another row")
    for _ in range(3):  # one after another, or at once
        _abandon(store, f"folder/{name}")
    assert len(list(store.list(""))) == 5

    store.remove(f"folder/{name}")

    assert {file.path for file in store.list("")} == {"folder/b.npy", "folder/.b.npy.tmp.npy"}


def test_it_hinders_no_later_writer(store: LocalStore) -> None:
    for _ in range(2):
        _abandon(store, "a")
    store.put("a", b"whole")
    assert store.get("a") == b"whole"
    assert len(list(store.list(""))) == 3
    store.remove("a")
    assert list(store.list("")) == []


def test_what_is_whole_leaves_nothing_beside_it(store: LocalStore, tmp_path: Path) -> None:
    with store.create("a") as one, store.create("a") as other:
        one.write(b"1")
        other.write(b"2")
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_store_that_is_not_mounted_loses_nothing(tmp_path: Path) -> None:
    from djflow.errors import BucketInaccessible

    with pytest.raises(BucketInaccessible):
        LocalStore(tmp_path / "gone").remove("a")
