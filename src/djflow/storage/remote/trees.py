"""Files and folders in file systems of `fsspec`."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.storage.paths import unfinished
from djflow.storage.store import StoredFile

if TYPE_CHECKING:
    import fsspec

Operation: TypeAlias = Callable[["fsspec.AbstractFileSystem", str], object]

_ATTEMPTS: Final = 20
# What file systems call the time of the last change, best first.
_TIMES: Final = ("LastModified", "last_modified", "mtime", "modified", "updated", "created")


def stored_file(path: str, details: Mapping[str, Any]) -> StoredFile:
    """What a listing tells of a file.

    >>> stored_file("a", {"size": 3, "mtime": 0.0}).modified
    datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    told = next((details[name] for name in _TIMES if details.get(name) is not None), None)
    return StoredFile(path, int(details["size"] or 0), _time(told))


def _time(told: Any) -> datetime:
    match told:
        case datetime():
            return told.replace(tzinfo=UTC) if told.tzinfo is None else told.astimezone(UTC)
        case int() | float():
            return datetime.fromtimestamp(told, UTC)
        case str():
            return _time(datetime.fromisoformat(told))
        case _:
            return datetime.now(UTC)  # unknown: too young to be taken for forgotten


def move_in(write: Operation) -> Operation:
    """Write under a temporary name and move the file to its own, for file systems that show half a file."""

    def write_and_move(files: "fsspec.AbstractFileSystem", full: str) -> None:
        _, folder = unfinished(full)
        temporary = f"{folder}/{secrets.token_hex(8)}"
        try:
            _write_into(files, folder, lambda: write(files, temporary))
            _move(files, temporary, full)
        except BaseException:
            with suppress(Exception):
                files.rm_file(temporary)
            raise
        finally:
            with suppress(Exception):  # others are in it
                files.rmdir(folder)

    return write_and_move


def _write_into(files: "fsspec.AbstractFileSystem", folder: str, write: Callable[[], object]) -> None:
    for attempt in count(1):
        try:
            files.makedirs(folder, exist_ok=True)
            write()
        except (FileNotFoundError, FileExistsError):  # the last of others who write the same removed it
            if attempt == _ATTEMPTS:
                raise
        else:
            return


def _move(files: "fsspec.AbstractFileSystem", source: str, target: str) -> None:
    from fsspec import AbstractFileSystem

    if type(files).mv is not AbstractFileSystem.mv:
        files.mv(source, target)
        return
    files.cp_file(source, target)  # `mv` would take letters in names for patterns
    files.rm_file(source)


def remove_folders(files: "fsspec.AbstractFileSystem", full: str) -> None:
    """Remove a folder whose files are gone, with the folders in it."""
    if files.isdir(full):
        found = files.find(full, withdirs=True, detail=True)
        folders = {name for name, details in found.items() if details["type"] == "directory"} | {full}
        for folder in sorted(folders, key=len, reverse=True):
            with suppress(OSError):  # gone with its files, or in use again
                files.rmdir(folder)
