"""An object from one store into another, whole and checked, without holding it in memory."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from djflow.errors import CorruptObjectError, MissingExternalFile, StorageError
from djflow.storage.handles.checksums import verify_object
from djflow.storage.parallel import map_threads
from djflow.storage.store import Store, StoredFile

_SMALL: Final = 1 << 22  # bytes that are read at once


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of an object: its size in bytes, and whether the other store had it already."""

    size: int
    was_there: bool


def copy_object(source: Store, target: Store, reference: Mapping[str, Any], path: str) -> Copied:
    """Copy the file or tree to which a row refers to `path` in another store, and compare it there.

    It is compared with the size, the checksum or the hash that the row tells, or else with its size in the
    source. What is there already, and is the same, stays. Where the copy is not what it should be, it does
    not stay.

    Raises `MissingExternalFile` for an object that is not there, `CorruptObjectError` where it, or its copy,
    is not what was written, and as stores do.
    """
    files = list(source.list(str(reference["path"])))
    if not files:
        verify_object(source, reference)
    told = _told(reference, files, path)
    if is_copied(target, told):
        return Copied(sum(file.size for file in files), was_there=True)
    if is_shared(reference):
        verify_object(source, reference)  # other rows use what has this path
    try:
        _copy_files(source, target, str(reference["path"]), files, path)
        _compare(source, target, reference, told)
    except StorageError:
        if not is_shared(reference):
            with suppress(StorageError):
                target.remove(path)
        raise
    return Copied(sum(file.size for file in files), was_there=False)


def is_shared(reference: Mapping[str, Any]) -> bool:
    """Whether an object is a content that rows share.

    >>> is_shared({"path": "_hash/lab/x", "hash": "x"}), is_shared({"path": "_schema/lab/a.npy"})
    (True, False)
    """
    return isinstance(reference.get("hash"), str)


def has_checksum(reference: Mapping[str, Any]) -> bool:
    """Whether a row tells more of its object than the size."""
    return is_shared(reference) or isinstance(reference.get("checksum"), str)


def is_copied(target: Store, told: Mapping[str, Any]) -> bool:
    """Whether a store has an object, as it is told."""
    if not target.exists(str(told["path"])):
        return False
    try:
        verify_object(target, told)
    except (MissingExternalFile, CorruptObjectError):
        return False
    return True


def _told(reference: Mapping[str, Any], files: Sequence[StoredFile], path: str) -> dict[str, Any]:
    """A reference to the copy; of old ones, which tell neither, with the size and the number of files."""
    told = {**reference, "path": path}
    for name, found in (("size", sum(file.size for file in files)), ("item_count", len(files))):
        if told.get(name) is None:
            told[name] = found
    return told


def _compare(source: Store, target: Store, reference: Mapping[str, Any], told: Mapping[str, Any]) -> None:
    try:
        verify_object(target, told)
    except CorruptObjectError:
        verify_object(source, reference)  # what was damaged before is told of the source
        raise


def _copy_files(source: Store, target: Store, top: str, files: Sequence[StoredFile], path: str) -> None:
    def copy(file: StoredFile) -> None:
        _copy_file(source, target, file, path + file.path.removeprefix(top))

    map_threads(copy, files)


def _copy_file(source: Store, target: Store, file: StoredFile, path: str) -> None:
    if file.size <= _SMALL:
        target.put(path, source.get(file.path))
        return
    here = source.local_path(file.path)
    if here is not None:
        target.put_file(path, here)
        return
    with tempfile.TemporaryDirectory(prefix="djflow-") as folder:
        fetched = Path(folder, "content")
        source.get_file(file.path, fetched)
        target.put_file(path, fetched)
