"""A lazy reference to a file or a folder in a store."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from djflow.errors import MissingExternalFile, StorageError
from djflow.storage.handles.download import download
from djflow.storage.handles.stored import FileHandle, open_file
from djflow.storage.paths import check_path
from djflow.storage.store import Store


@dataclass(frozen=True, slots=True, eq=False)
class ObjectRef(FileHandle):
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
    def nbytes(self) -> int:
        """How many bytes the object has, 0 where the row does not tell."""
        return self.size or 0

    def read(self) -> bytes:
        """The content of a file. Raises `StorageError` for a folder."""
        return self._store.get(self._file(None))

    def open(  # type: ignore[override] # a folder's files are opened by their names
        self, subpath: str | None = None, mode: str = "rb"
    ) -> IO[Any]:
        """The file, or one in the folder, to be read in pieces; close it after use.

        `mode` is "rb", or "r" for text in UTF-8.

        Raises `StorageError` for a folder or a mode that writes, `MissingExternalFile` for an absent file.
        """
        return open_file(self._store, self._file(subpath), mode)

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
            raise MissingExternalFile(f"{top!r} is not in store {self.store!r}.").suggest(
                "Restore it from a backup, or delete the row."
            )
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
