"""Checksums of objects: told while objects are written, compared on demand.

A checksum is a text: the algorithm, a colon and hexadecimal digits. That of a tree, whose algorithm ends in
`/tree`, is made of the names and checksums of its files.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import IO, Any, Final, Protocol

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.storage.cached import without_cache
from djflow.storage.parallel import map_threads
from djflow.storage.paths import content_hash
from djflow.storage.store import Store, StoredFile

FILE: Final = "blake2b"  # of 128 bits
CRC32C: Final = "crc32c"  # many times faster than a disk, which a cryptographic sum is not
_TREE: Final = "/tree"
PIECE: Final = 1 << 22  # bytes read at a time


class Digest(Protocol):
    """What sums up bytes."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take in more bytes."""
        ...

    def hexdigest(self) -> str:
        """The sum of all bytes so far."""
        ...


class SummedFile:
    """Writes to a file, counting and summing up what is written.

    >>> from io import BytesIO
    >>> file = SummedFile(BytesIO())
    >>> file.write(b"ab"), file.size, file.checksum
    (2, 2, 'blake2b:3dc9ae220222e2e156b2a5abb60d01c7')
    """

    size: int

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = _digest(FILE)
        self.size = 0

    def write(self, data: bytes | memoryview) -> int:
        """Write all of the data."""
        self._file.write(data)
        self._digest.update(data)
        self.size += memoryview(data).nbytes
        return memoryview(data).nbytes

    @property
    def closed(self) -> bool:
        """False: who opened the file closes it."""
        return False

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing happens: who opened the file closes it."""

    def tell(self) -> int:
        """How many bytes were written."""
        return self.size

    def writable(self) -> bool:
        """True."""
        return True

    def copy(self, source: IO[bytes]) -> None:
        """Write all that is left to read of another file, in pieces."""
        while piece := source.read(PIECE):
            self.write(piece)

    @property
    def checksum(self) -> str:
        """The checksum of all that was written."""
        return f"{FILE}:{self._digest.hexdigest()}"


def checksum(data: bytes | memoryview, algorithm: str = FILE) -> str:
    """The checksum of bytes.

    >>> checksum(b"")
    'blake2b:cae66941d9efbd404e4d88758ea67670'
    """
    digest = _digest(algorithm)
    digest.update(data)
    return f"{algorithm}:{digest.hexdigest()}"


def tree_checksum(files: Mapping[str, str]) -> str:
    """The checksum of a tree, from those of its files by their paths below it.

    >>> one = tree_checksum({"a": checksum(b"1"), "b": checksum(b"2")})
    >>> one == tree_checksum({"b": checksum(b"2"), "a": checksum(b"1")})
    True
    """
    algorithm = next(iter(files.values()), FILE).partition(":")[0]
    lines = "".join(f"{name}\0{files[name]}\n" for name in sorted(files))
    return checksum(lines.encode("utf-8", "surrogateescape"), FILE).replace(FILE, algorithm + _TREE, 1)


def verify_object(store: Store, reference: Mapping[str, Any]) -> None:
    """Read an object and compare it with what its row tells: size, number of files, checksum or hash.

    What the row does not tell is not compared. A cache of the store is passed by.

    Raises `MissingExternalFile` for an object that is not there, `CorruptObjectError` for another content.
    """
    store, path = without_cache(store), str(reference["path"])
    files = list(store.list(path))
    if not files:
        raise MissingExternalFile(f"{path!r} is not in store {store.name!r}.").suggest(
            "Restore it from a backup, or delete the row."
        )
    _compare("bytes", sum(file.size for file in files), reference.get("size"), path)
    _compare("files", len(files), reference.get("item_count"), path)
    if (told := reference.get("checksum")) is not None:
        _compare("checksum", _checksum_of(store, path, files, told.partition(":")[0]), told, path)
    if (told := reference.get("hash")) is not None:
        _compare("hash", content_hash(store.get(path)), told, path)


def kind_of_problem(error: Exception) -> str:
    """What an error of `verify_object` says in a word: "missing", "corrupt" or "unreadable"."""
    match error:
        case MissingExternalFile():
            return "missing"
        case CorruptObjectError():
            return "corrupt"
        case _:
            return "unreadable"


def _compare(what: str, found: object, told: object, path: str) -> None:
    if told is not None and found != told:
        raise CorruptObjectError(
            f"The object has {what} {found}, but the row says {told}", path=path
        ).suggest("The object was changed or damaged after it was written; restore it from a backup.")


def _checksum_of(store: Store, path: str, files: Iterable[StoredFile], algorithm: str) -> str:
    if not algorithm.endswith(_TREE):
        return _read_checksum(store, path, algorithm)
    return tree_checksum(read_checksums(store, path, files, algorithm.removesuffix(_TREE)))


def read_checksums(
    store: Store, path: str, files: Iterable[StoredFile], algorithm: str = FILE
) -> dict[str, str]:
    """The checksums of files of a tree by their paths below it, read several at a time."""
    paths = [file.path for file in files]
    sums = map_threads(lambda each: _read_checksum(store, each, algorithm), paths)
    names = [each.removeprefix(f"{path}/") for each in paths]
    return dict(zip(names, sums, strict=True))


def _read_checksum(store: Store, path: str, algorithm: str) -> str:
    digest = _digest(algorithm)
    with store.open(path) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return f"{algorithm}:{digest.hexdigest()}"


def _digest(algorithm: str) -> Digest:
    if algorithm == FILE:
        return blake2b(digest_size=16)
    if algorithm == CRC32C:
        return _Crc32c()
    raise CorruptObjectError(f"A row tells a checksum of the unknown algorithm {algorithm!r}")


class _Crc32c:
    """The sum that Zarr's own codec uses."""

    def __init__(self) -> None:
        self._sum = 0

    def update(self, data: bytes | memoryview, /) -> None:
        from google_crc32c import extend

        self._sum = extend(self._sum, bytes(data))

    def hexdigest(self) -> str:
        return f"{self._sum:08x}"
