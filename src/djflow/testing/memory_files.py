"""An `fsspec` file system of the files of a store in memory."""

from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from djflow.testing.memory import MemoryStore

    class AbstractFileSystem:
        """What fsspec, which has no types, gives."""

        def _strip_protocol(self, path: str) -> str: ...

        def cat_file(self, path: str) -> bytes:
            """The bytes of a file."""

else:
    from fsspec import AbstractFileSystem


class MemoryFiles(AbstractFileSystem):
    """The files of one store, by their paths in it; folders are there while they hold files.

    >>> from djflow.testing.memory import MemoryStore
    >>> store = MemoryStore()
    >>> files, path = store.filesystem("a/b")
    >>> files.pipe_file(path, b"text")
    >>> store.get("a/b"), files.ls("a", detail=False)
    (b'text', ['a/b'])
    """

    protocol = "djflow-memory"
    cachable = False

    def __init__(self, store: "MemoryStore") -> None:
        super().__init__()
        self.store = store

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:  # noqa: FBT001, FBT002 - fsspec's signature
        """The entries of a folder, or the file itself."""
        path = self._strip_protocol(path).strip("/")
        if path in self.store.files:
            return [self._entry(path)] if detail else [path]
        start = f"{path}/" if path else ""
        names = {
            start + name.removeprefix(start).partition("/")[0]
            for name in tuple(self.store.files)
            if name.startswith(start)
        }
        if not names and path:
            raise FileNotFoundError(path)
        return [self._entry(name) for name in sorted(names)] if detail else sorted(names)

    def _entry(self, name: str) -> dict[str, Any]:
        data = self.store.files.get(name)
        return {"name": name, "size": len(data or b""), "type": "directory" if data is None else "file"}

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BytesIO:
        if "r" not in mode:
            return _Written(self.store, path)
        if path not in self.store.files:
            raise FileNotFoundError(path)
        return BytesIO(self.store.files[path])

    def rm_file(self, path: str) -> None:
        """Forget a file."""
        if self.store.files.pop(path, None) is None:
            raise FileNotFoundError(path)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy a file."""
        self.store.put(path2, self.cat_file(path1))


class _Written(BytesIO):
    """A file that the store has once it is closed."""

    def __init__(self, store: "MemoryStore", path: str) -> None:
        super().__init__()
        self._store, self._path = store, path

    def close(self) -> None:
        if not self.closed:
            self._store.put(self._path, self.getvalue())
        super().close()
