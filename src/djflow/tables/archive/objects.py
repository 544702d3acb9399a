"""Objects out of their stores into an archive, and back."""

import hashlib
import mmap
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from djflow.errors import ArchiveError
from djflow.storage.parallel import map_threads
from djflow.tables.archive.folder import copy
from djflow.tables.archive.manifest import FileEntry, ObjectEntry
from djflow.tables.archive.references import Reference

if TYPE_CHECKING:
    from djflow.storage.store import Store

OpenStore = Callable[[str], "Store"]
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class AbsentFile:
    """A file that a store lacks: its path there, and where the archive has it."""

    store: str
    path: str
    archived: str


@dataclass(frozen=True, slots=True)
class KeptObject:
    """An object of an archive, and the path in its store where it belongs."""

    entry: ObjectEntry
    path: str

    def files(self) -> list[tuple[AbsentFile, FileEntry]]:
        """Its files, should they be absent, with what they must be."""
        there = replace(self.entry, path=self.path)
        return [
            (AbsentFile(self.entry.store, path, archived), stated)
            for (path, _), (_, archived, stated) in zip(there.paths(), self.entry.archived(), strict=True)
        ]


@dataclass(slots=True)
class ObjectKeeper:
    """Copies objects into the folder of an archive, each once; `entries` tells which."""

    folder: Path
    open_store: OpenStore
    _entries: dict[Reference, ObjectEntry] = field(default_factory=dict)

    @property
    def entries(self) -> tuple[ObjectEntry, ...]:
        """What was copied, in order of store and path."""
        return tuple(self._entries[key] for key in sorted(self._entries))

    def keep(self, references: Iterable[Reference]) -> None:
        """Copy the objects that are not there yet, several at a time.

        Raises `MissingExternalFile` for an object that its store does not have.
        """
        named = {Reference(self.open_store(each.store).name, each.path) for each in references}
        new = sorted(named - self._entries.keys())
        self._entries.update(zip(new, map_threads(self._copied, new), strict=True))

    def _copied(self, reference: Reference) -> ObjectEntry:
        store = self.open_store(reference.store)
        target = self.folder / "objects" / reference.store
        entry = ObjectEntry(
            reference.store,
            reference.path,
            tuple(FileEntry(name, 0, "") for name in files_of(store, reference.path)),
        )
        copied = []
        for path, file in entry.paths():
            with closing(store.open(path)) as source:
                found = copy(source, target / path)
            copied.append(FileEntry(file.path, found.size, found.sha256))
        return ObjectEntry(reference.store, reference.path, tuple(copied))


def files_of(store: "Store", path: str) -> Sequence[str]:
    """The files of an object, by their paths from it; `[""]` for one that is a file itself."""
    place = store.local_path(path)
    if place is not None:
        if not place.is_dir():
            return [""]
        return sorted(file.relative_to(place).as_posix() for file in place.rglob("*") if file.is_file())
    return _listed(store, path) or [""]


def _listed(store: "Store", path: str) -> list[str]:
    from zarr.core.sync import sync

    async def listed() -> list[str]:
        return sorted([key async for key in store.zarr_store(path, read_only=True).list()])

    return sync(listed())


def absent_files(
    objects: Sequence[KeptObject], open_store: OpenStore, *, archive: str
) -> tuple[AbsentFile, ...]:
    """The files of objects that their stores lack.

    Raises `ArchiveError` where a store has another object under the path of one in the archive.
    """
    found = map_threads(lambda each: _absent(open_store(each.entry.store), each, archive), objects)
    return tuple(file for files in found for file in files)


def put_files(files: Sequence[AbsentFile], folder: Path, open_store: OpenStore) -> None:
    """Write files of an archive into their stores, several at a time."""
    map_threads(lambda file: _put(open_store(file.store), file.path, folder / file.archived), files)


def _put(store: "Store", path: str, file: Path) -> None:
    with file.open("rb") as source:
        if not file.stat().st_size:
            store.put(path, b"")
            return
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as content, memoryview(content) as data:
            store.put(path, data)


def _absent(store: "Store", kept: KeptObject, archive: str) -> list[AbsentFile]:
    files = kept.files()
    if not store.exists(kept.path):
        return [file for file, _ in files]
    has_more = bool(set(files_of(store, kept.path)) - {each.path for each in kept.entry.files})
    states = [_compared(store, file.path, stated) for file, stated in files]
    if has_more or "different" in states:
        raise ArchiveError(
            f"the store {kept.entry.store!r} has another object under the path {kept.path!r}. "
            "Restore into another schema or store, or move that object away",
            archive=archive,
        )
    return [file for (file, _), state in zip(files, states, strict=True) if state == "absent"]


def _compared(store: "Store", path: str, file: FileEntry) -> Literal["absent", "same", "different"]:
    if not store.exists(path):
        return "absent"
    is_same = store.size(path) == file.size and _sha256(store, path) == file.sha256
    return "same" if is_same else "different"


def _sha256(store: "Store", path: str) -> str:
    digest = hashlib.sha256()
    with closing(store.open(path)) as source:
        while piece := source.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
