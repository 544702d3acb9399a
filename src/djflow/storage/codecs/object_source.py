"""What `<object@>` takes: files and folders of this machine, bytes, streams, objects of other rows."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, TypeAlias

from djflow.errors import StorageError
from djflow.storage.files import copying_from
from djflow.storage.handles import ObjectRef
from djflow.storage.handles.checksums import SummedFile, checksum
from djflow.storage.paths import check_path
from djflow.storage.store import Store

_BYTES: Final = bytes | bytearray | memoryview
_EXTENSION: Final = re.compile(r"(\.[^/\\\0]{1,40})?")
_TAKEN: Final = "a path, bytes, an ObjectRef, or a pair of extension and any of these or a binary file"

Content: TypeAlias = "bytes | Path | BinaryIO | _Stored"


@dataclass(frozen=True, slots=True)
class Source:
    """Files to be written; by their names in a folder, or one that is named ""."""

    extension: str
    is_dir: bool
    files: tuple[tuple[str, Content], ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    ref: ObjectRef
    name: str | None

    def open(self) -> AbstractContextManager[IO[Any]]:
        return self.ref.open(self.name)


def source_of(value: Any) -> Source:
    """The files that a value means.

    Raises `TypeError` for another type, `ValueError` for what is not there or cannot be stored.

    >>> source_of((".txt", b"text"))
    Source(extension='.txt', is_dir=False, files=(('', b'text'),))
    """
    extension, content = _parts(value)
    match content:
        case bytearray() | memoryview() | bytes():
            return Source(extension, is_dir=False, files=(("", bytes(content)),))
        case str() | Path():
            return _on_disk(Path(content), extension)
        case ObjectRef():
            return _in_store(content, extension)
        case _:
            return Source(extension, is_dir=False, files=(("", content),))


def extension_of(value: Any) -> str:
    """The extension of the object that a value becomes; "" for bytes and folders without one."""
    return _parts(value)[0]


def write_content(content: Content, store: Store, path: str) -> tuple[int, str]:
    """Write one file; returns how many bytes it has, and their checksum."""
    match content:
        case bytes():
            store.put(path, content)
            return len(content), checksum(content)
        case Path():
            with copying_from(content) as file:
                return _copy(file, store, path)
        case _Stored():
            with content.open() as file:
                return _copy(file, store, path)
        case _:
            return _copy(content, store, path)


def _copy(source: IO[bytes], store: Store, path: str) -> tuple[int, str]:
    with store.create(path) as file:
        target = SummedFile(file)
        target.copy(source)
    return target.size, target.checksum


def _parts(value: Any) -> tuple[str, Any]:
    match value:
        case (str(extension), content):
            if not _is_content(content) and not callable(getattr(content, "read", None)):
                raise TypeError(f"<object@> stores {_TAKEN}, not {type(content).__name__}")
        case ObjectRef():
            extension, content = value.ext or "", value
        case _ if _is_content(value):
            extension, content = _suffix(value), value
        case _:
            raise TypeError(f"<object@> stores {_TAKEN}, not {type(value).__name__}")
    if not _EXTENSION.fullmatch(extension):
        raise ValueError(f"{extension!r} is no extension; one begins with a dot, as '.zarr' does")
    return extension, content


def _is_content(value: Any) -> bool:
    return isinstance(value, (str, Path, ObjectRef, _BYTES))


def _suffix(value: Any) -> str:
    if not isinstance(value, (str, Path)) or Path(value).is_dir():
        return ""
    return Path(value).suffix


def _on_disk(path: Path, extension: str) -> Source:
    if path.is_dir():
        files = tuple((name, path / name) for name in _names(path))
        if not files:
            raise ValueError(f"folder {str(path)!r} is empty; a store keeps files only")
        return Source(extension, is_dir=True, files=files)
    if not path.is_file():
        found = "is neither a file nor a folder" if path.exists() else "does not exist"
        raise ValueError(f"{str(path)!r} {found}")
    return Source(extension, is_dir=False, files=(("", path),))


def _names(top: Path) -> Iterator[str]:
    for place, folders, names in os.walk(top, onerror=_refuse_unreadable):
        for name in folders:
            if Path(place, name).is_symlink():
                raise ValueError(f"{str(Path(place, name))!r} is a symbolic link to a folder")
        for name in sorted(names):
            file = Path(place, name)
            if not file.is_file():
                raise ValueError(f"{str(file)!r} is not a regular file")
            yield _checked(file.relative_to(top).as_posix())


def _refuse_unreadable(error: OSError) -> None:
    raise ValueError(f"{str(error.filename)!r} cannot be read: {error.strerror}")


def _checked(name: str) -> str:
    try:
        return check_path(name)
    except StorageError as error:
        raise ValueError(f"file {name!r} has a name that stores do not take") from error


def _in_store(ref: ObjectRef, extension: str) -> Source:
    if not ref.is_dir:
        return Source(extension, is_dir=False, files=(("", _Stored(ref, None)),))
    names = [f"{folder}/{name}" if folder else name for folder, _, inner in ref.walk() for name in inner]
    return Source(extension, is_dir=True, files=tuple((name, _Stored(ref, name)) for name in names))
