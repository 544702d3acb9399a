"""Objects that are one file, written by users: `staged.open()`."""

from collections.abc import Callable, Mapping
from typing import IO, Any, TypeAlias

from djflow.storage.codec import ColumnContext
from djflow.storage.staging.draft import Draft, Place
from djflow.storage.staging.growing_file import ObjectFile
from djflow.storage.store import Store

Describe: TypeAlias = Callable[[Store, str], Mapping[str, Any]]


class FileDraft(Draft):
    """A file of the row's own. `describe` tells what the row keeps of it beside size and checksum."""

    what = "open"

    def __init__(self, context: ColumnContext, extension: str, describe: Describe) -> None:
        self._place = Place.take(context, extension)
        self._file = ObjectFile(self._place.store, self._place.path)
        self._describe = describe

    def writing(self, mode: str = "wb") -> IO[Any]:
        """The file, opened as `open` does it: "wb", "w" for text, "ab" for more, "r+b", "w+b"."""
        return self._file.file.open(mode)

    def finish(self) -> str:
        """What the row keeps of the file."""
        size, checksum = self._file.finish()
        described = self._describe(self._place.store, self._place.path)
        return self._place.reference({**described, "size": size, "checksum": checksum})

    def abandon(self) -> None:
        """Close the file."""
        self._file.abandon()
