"""Errors of objects and archives."""

from djflow.errors.base import DjflowError


class ArchiveError(DjflowError):
    """An archive that cannot be written, or that is damaged or does not fit the database.

    Attributes: `reason`, `archive` (its path), `file` (the file in it that is at fault, or empty).
    """

    reason: str
    archive: str
    file: str

    def __init__(self, reason: str, *, archive: str = "", file: str = "") -> None:
        self.reason, self.archive, self.file = reason, archive, file
        where = f"{file} of {archive}" if file and archive else file or archive or "the archive"
        super().__init__(f"{where}: {reason}.")


class StorageError(DjflowError):
    """The object store refused or failed."""


class MissingExternalFile(StorageError):  # noqa: N818 - the name that users' code catches
    """An object that a row refers to is not in the store."""


class BucketInaccessible(StorageError):  # noqa: N818 - the name that users' code catches
    """The store itself cannot be reached."""


class StoreFullError(StorageError):
    """The store has no room left; nothing of the object was kept."""


class RegionError(StorageError):
    """A write to a part of a chunk of an array that several writers share.

    Attributes, as texts: `region`, `chunks` (the shape of a chunk or shard), `nearest` (whole ones).
    """

    region: str
    chunks: str
    nearest: str

    def __init__(self, region: str, chunks: str, nearest: str) -> None:
        self.region, self.chunks, self.nearest = region, chunks, nearest
        super().__init__(
            f"Region {region} has parts of chunks of shape {chunks}, to which others may write at the same "
            f"time: one of you would lose what it wrote. Write whole chunks, such as {nearest}."
        )


class CorruptObjectError(StorageError):
    """Stored bytes that cannot be what was written.

    Attributes: `reason`, `position` (the byte at which reading failed, or None), `path` (the object in its
    store, empty for a value in a table).
    """

    reason: str
    position: int | None
    path: str

    def __init__(self, reason: str, *, position: int | None = None, path: str = "") -> None:
        self.reason, self.position, self.path = reason, position, path
        at = "" if position is None else f" at byte {position}"
        where = f"{path}: " if path else ""
        super().__init__(f"{where}{reason}{at}.")
