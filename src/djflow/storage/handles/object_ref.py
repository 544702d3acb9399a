"""A lazy reference to a file or a folder in a store."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from djflow.errors import MissingExternalFile, StorageError
from djflow.storage.handles.checksums import verify_object
from djflow.storage.handles.download import download
from djflow.storage.paths import check_path
from djflow.storage.store import Store

if TYPE_CHECKING:
    import fsspec

_READING: Final = ("rb", "r", "rt")


@dataclass(frozen=True, slots=True, eq=False)
class ObjectRef:
    """A file or a folder in a store; nothing is read before it is asked for.

    `size` counts bytes, of a folder those of all its files; `item_count` the files of a folder; `timestamp`
    tells, in UTC, when the object was written; `ext` is its extension, such as ".zarr". What a row does not
    tell is None. Two references are equal if their checksums are, or else if they name the same object.

    >>> import tempfile
    >>> from djflow.storage.local import LocalStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = LocalStore(Path(folder), "main")
    ...     store.put("tree/a.txt", b"text")
    ...     ref = ObjectRef(store, "tree", size=4, is_dir=True)
    ...     ref, ref.listdir(), ref.exists("b.txt")
    (ObjectRef(folder: tree, size=4), ['a.txt'], False)
    """

    _store: Store
    path: str
    size: int | None = None
    ext: str | None = None
    is_dir: bool = False
    item_count: int | None = None
    timestamp: datetime | None = None
    checksum: str | None = None

    @classmethod
    def from_json(cls, reference: Mapping[str, Any] | str, store: Store) -> "ObjectRef":
        """The reference that a row keeps, as a mapping or as JSON text.

        Raises `KeyError`, `TypeError` or `ValueError` for anything else.
        """
        told: Mapping[str, Any] = json.loads(reference) if isinstance(reference, str) else reference
        written = told.get("timestamp")
        return cls(
            store,
            check_path(told["path"]),
            told.get("size"),
            told.get("ext"),
            bool(told.get("is_dir")),
            told.get("item_count"),
            None if written is None else _in_utc(datetime.fromisoformat(written)),
            told.get("checksum"),
        )

    def to_json(self) -> dict[str, Any]:
        """The reference as the row keeps it."""
        return {
            "path": self.path,
            "store": self.store,
            "size": self.size,
            "ext": self.ext,
            "is_dir": self.is_dir,
            "item_count": self.item_count,
            "timestamp": self.timestamp and self.timestamp.isoformat(),
            "checksum": self.checksum,
        }

    @property
    def store(self) -> str | None:
        """The name of the store."""
        return self._store.name or None

    @property
    def fs(self) -> "fsspec.AbstractFileSystem":
        """The `fsspec` file system in which the object lies at `full_path`."""
        return self._store.filesystem(self.path)[0]

    @property
    def full_path(self) -> str:
        """Where the object lies in `fs`: an absolute path on this machine, or bucket and key."""
        return self._store.filesystem(self.path)[1]

    @property
    def fsmap(self) -> "fsspec.FSMap":
        """The files of a folder as a mapping, which `zarr.open` and `xarray.open_zarr` take."""
        from fsspec import FSMap

        files, path = self._store.filesystem(self.path)
        return FSMap(path, files)

    def read(self) -> bytes:
        """The content of a file. Raises `StorageError` for a folder."""
        return self._store.get(self._file(None))

    def open(self, subpath: str | None = None, mode: str = "rb") -> IO[Any]:
        """The file, or one in the folder, to be read in pieces; close it after use.

        `mode` is "rb", or "r" for text in UTF-8.

        Raises `StorageError` for a folder or a mode that writes, `MissingExternalFile` for an absent file.
        """
        if mode not in _READING:
            raise StorageError(f"{self.path!r} belongs to a row and can only be read, not opened {mode!r}.")
        file = self._store.open(self._file(subpath))
        return file if mode == "rb" else TextIOWrapper(file, encoding="utf-8")

    def exists(self, subpath: str | None = None) -> bool:
        """Whether the store has the object, or a file or folder in it."""
        return self._store.exists(self._at(subpath))

    def listdir(self, subpath: str = "") -> list[str]:
        """The names of files and folders in the folder, sorted.

        Raises `StorageError` for a file, `MissingExternalFile` for an absent folder.
        """
        top = self._folder(subpath)
        return sorted({name.partition("/")[0] for name in self._names(top)})

    def walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """Path, folders and files of each folder in the folder, as `os.walk` does; the first path is "".

        Raises as `listdir` does.
        """
        tree: dict[str, tuple[set[str], list[str]]] = {"": (set(), [])}
        for path in self._names(self._folder("")):
            *folders, name = path.split("/")
            for depth, folder in enumerate(folders):
                tree["/".join(folders[:depth])][0].add(folder)
                tree.setdefault("/".join(folders[: depth + 1]), (set(), []))
            tree["/".join(folders)][1].append(name)
        for folder in sorted(tree, key=lambda path: path.split("/")):
            inner, names = tree[folder]
            yield folder, sorted(inner), sorted(names)

    def download(self, destination: Path | str, subpath: str | None = None) -> Path:
        """Copy the object, or a part of a folder, to `destination`, or into it if that is a folder.

        Returns where the copy lies. It appears whole or not at all; a copy that is there already is kept.

        Raises `StorageError` where something else has its name, `MissingExternalFile` for an absent object.
        """
        return download(self._store, self._at(subpath), Path(destination))

    def verify(self) -> bool:
        """True if the object is what was written, as size, number of files and checksum tell; reads it all.

        Raises `MissingExternalFile` for an absent object, `CorruptObjectError` for another content.
        """
        verify_object(self._store, self.to_json())
        return True

    def _at(self, subpath: str | None) -> str:
        if not subpath:
            return self.path
        if not self.is_dir:
            raise StorageError(f"{self.path!r} is a file and has no {subpath!r}.")
        return f"{self.path}/{check_path(subpath)}"

    def _file(self, subpath: str | None) -> str:
        if self.is_dir and not subpath:
            raise StorageError(f"{self.path!r} is a folder.").suggest(
                "Name a file in it, ref.open('name'); listdir() and walk() tell which there are."
            )
        return self._at(subpath)

    def _folder(self, subpath: str) -> str:
        if not self.is_dir:
            raise StorageError(f"{self.path!r} is a file.").suggest("Use read() or open().")
        return self._at(subpath)

    def _names(self, top: str) -> list[str]:
        names = [file.path.removeprefix(f"{top}/") for file in self._store.list(top)]
        if not names:
            raise MissingExternalFile(f"{top!r} is not in store {self.store!r}.")
        return names

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ObjectRef):
            return NotImplemented
        if self.checksum is not None and other.checksum is not None:
            return self.checksum == other.checksum
        return (self.store, self.path) == (other.store, other.path)

    def __hash__(self) -> int:
        return hash((self.size, self.is_dir))

    def __repr__(self) -> str:
        kind = "folder" if self.is_dir else "file"
        return f"ObjectRef({kind}: {self.path}, size={self.size})"


def _in_utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
