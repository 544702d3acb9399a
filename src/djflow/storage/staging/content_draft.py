"""Contents that rows share, written by users: where they lie is known when they are complete."""

import hashlib
import shutil
from base64 import b32encode
from collections.abc import Callable
from typing import IO, Any, Final, TypeAlias

from djflow.storage.codec import ColumnContext
from djflow.storage.paths import hash_path
from djflow.storage.shared_content import content_reference, holds
from djflow.storage.staging.draft import Draft, MakeDraft, check_extension
from djflow.storage.staging.growing_file import TemporaryFile, writing_to

_PIECE: Final = 1 << 22  # bytes copied at a time

Before: TypeAlias = Callable[[str, int], bytes]
"""What stands before the bytes of a file, told its name and their number."""


class ContentDraft(Draft):
    """Bytes in a temporary file, kept once with those of other rows that equal them."""

    is_shared = True
    what = "open"

    def __init__(self, context: ColumnContext, extension: str, before: Before) -> None:
        check_extension(extension)
        self._context, self._name, self._before = context, f"{context.attribute}{extension}", before
        before(self._name, 0)  # which may refuse the name
        self._file = TemporaryFile()

    def writing(self, mode: str = "wb") -> IO[Any]:
        """The file, opened as `open` does it: "wb", "w" for text, "ab" for more, "r+b", "w+b"."""
        return self._file.open(mode)

    def finish(self) -> str:
        """Put the content into the store, unless it is there."""
        context, store = self._context, self._context.store
        with writing_to(self._name):
            self._file.close()
            head = self._before(self._name, self._file.size)
            size, name = len(head) + self._file.size, self._hash(head)
        [path] = context.share(store.name, [hash_path(store.layout, context.table.schema, name)])
        if not holds(store, path, size):
            with store.create(path) as target, self._file.open("rb") as source:
                target.write(head)
                shutil.copyfileobj(source, target, _PIECE)
        self._file.abandon()
        return content_reference(store.name, context.table.schema, path, name, size)

    def abandon(self) -> None:
        """Remove the file."""
        self._file.abandon()

    def _hash(self, head: bytes) -> str:
        digest = hashlib.md5(head, usedforsecurity=False)  # as `content_hash`
        with self._file.place.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return b32encode(digest.digest()).decode().lower().rstrip("=")


def content_draft(before: Before) -> MakeDraft:
    """A way to write contents that begin with what a codec puts before the bytes."""
    return lambda context, extension: ContentDraft(context, extension, before)
