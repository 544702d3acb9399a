"""The folder of an archive: it appears whole or not at all, and survives a power loss."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from djflow.errors import ArchiveError
from djflow.storage.flushing import flush
from djflow.tables.archive.manifest import FILE, FileEntry, Manifest, manifest_from_bytes, manifest_to_bytes

SUFFIX: Final = ".partial"
_PIECE: Final = 1 << 20


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, which gets that name when the block ends well and goes when it does not.

    Raises `ArchiveError` for a path that exists, also as the unfinished folder of another archive.
    """
    partial = path.with_name(path.name + SUFFIX)
    check_free(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.mkdir()
    except FileExistsError:
        raise ArchiveError(
            "it is being written, or is what was left when writing it was cut off. "
            "Remove it if nothing writes it any more",
            archive=str(partial),
        ) from None
    except OSError as error:
        raise ArchiveError(f"it cannot be made ({error.strerror})", archive=str(path)) from error
    try:
        yield partial
        _publish(partial, path)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise ArchiveError(f"it cannot be written ({error.strerror})", archive=str(path)) from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def check_free(path: Path) -> None:
    """Raise `ArchiveError` for a path that exists."""
    if os.path.lexists(path):
        raise ArchiveError("it exists already. Choose another path, or remove it first", archive=str(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the last file of an archive."""
    file = folder / FILE
    file.write_bytes(manifest_to_bytes(manifest))
    flush(file)


def read_manifest(folder: Path) -> Manifest:
    """What an archive says of itself. Raises `ArchiveError` where there is none or it is damaged."""
    try:
        data = (folder / FILE).read_bytes()
    except OSError as error:
        reason = "it is no archive: it has no manifest.json" if folder.is_dir() else "there is no such folder"
        if folder.name.endswith(SUFFIX):
            reason = "it was never finished"
        raise ArchiveError(reason, archive=str(folder)) from error
    return manifest_from_bytes(data, archive=str(folder))


def copy(source: BinaryIO, target: Path) -> FileEntry:
    """Copy a file piece by piece to a new one; its size and checksum, without a path."""
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        while piece := source.read(_PIECE):
            sink.write(piece)
            digest.update(piece)
            size += len(piece)
        sink.flush()
        os.fsync(sink.fileno())
    return FileEntry("", size, digest.hexdigest())


def entry_of(folder: Path, path: str) -> FileEntry:
    """The entry of a file that is in the folder."""
    with (folder / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    return FileEntry(path, (folder / path).stat().st_size, digest.hexdigest())


def check_file(folder: Path, stated: FileEntry) -> None:
    """Raise `ArchiveError`, which names the file, unless it is as it was written."""
    try:
        found = entry_of(folder, stated.path)
    except OSError as error:
        reason = f"the file cannot be read ({error.strerror})"
        raise ArchiveError(reason, archive=str(folder), file=stated.path) from error
    if found != stated:
        reason = "the file is not as it was written: its checksum differs"
        if found.size != stated.size:
            reason = f"the file has {found.size:,} bytes, not {stated.size:,} as it was written"
        raise ArchiveError(reason, archive=str(folder), file=stated.path)


def _publish(partial: Path, path: Path) -> None:
    for place, _, _ in os.walk(partial):
        flush(Path(place))
    check_free(path)
    partial.rename(path)
    flush(path.parent)
