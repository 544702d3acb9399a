"""A folder in the making, as a mapping of its files. Imports fsspec: import this only where one is begun."""

from typing import TYPE_CHECKING

from djflow.errors import StorageError
from djflow.storage.paths import check_path

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from typing import Any

    class FSMap(MutableMapping[str, bytes]):
        """What fsspec, which has no types, gives."""

        def __init__(self, root: str, fs: Any) -> None: ...
        def __getitem__(self, key: str) -> bytes: ...
        def __setitem__(self, key: str, value: bytes) -> None: ...
        def __delitem__(self, key: str) -> None: ...
        def __iter__(self) -> Iterator[str]: ...
        def __len__(self) -> int: ...
        def _key_to_str(self, key: str) -> str: ...

else:
    from fsspec import FSMap


class FolderMap(FSMap):
    """A mapping from names of files to their bytes, for one folder and until that is complete.

    >>> from fsspec.implementations.memory import MemoryFileSystem
    >>> files = FolderMap("memory://raw.zarr", MemoryFileSystem())
    >>> files["../other"] = b"text"
    Traceback (most recent call last):
    djflow.errors.StorageError: '../other' is no path in a store: it has the segment '..'.
    Paths are relative to the store's location and use '/', for example 'folder/file.npy'.
    """

    is_complete = False

    def _key_to_str(self, key: str) -> str:
        # Every method of the mapping asks here where a file lies.
        if self.is_complete:
            raise StorageError("The staged folder is complete: the block of its insert has ended.")
        return super()._key_to_str(check_path(key))
