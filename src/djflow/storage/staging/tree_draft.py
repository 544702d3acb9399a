"""Objects that are folders of files, written by other libraries: `staged.store()`."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from djflow.storage.codec import ColumnContext
from djflow.storage.handles.checksums import read_checksums, tree_checksum
from djflow.storage.staging.draft import Draft, Place

if TYPE_CHECKING:
    from djflow.storage.staging.folder_map import FolderMap


class TreeDraft(Draft):
    """A folder of the row's own; its checksum is known when all of it has been read back."""

    what = "store"

    def __init__(self, context: ColumnContext, extension: str) -> None:
        self._extension = extension
        self._maps: list[FolderMap] = []
        self._place = place = Place.take(context, extension)
        if place.store.local_path(place.path) is not None:
            place.store.put(f"{place.path}/_", b"")  # with the folders around it
            place.store.remove(f"{place.path}/_")

    def writing(self) -> "FolderMap":
        """The files of the folder as a mapping to be written to."""
        from djflow.storage.staging.folder_map import FolderMap

        files, full_path = self._place.store.filesystem(self._place.path)
        self._maps.append(FolderMap(full_path, files))
        return self._maps[-1]

    def finish(self) -> str:
        """What the row keeps of the folder."""
        store, path = self._place.store, self._place.path
        self.abandon()
        store.sync(path)
        files = list(store.list(path))
        if not files:
            raise self._place.nothing_written()
        is_dir = files[0].path != path
        sums = read_checksums(store, path, files)
        return self._place.reference(
            {
                "size": sum(file.size for file in files),
                "ext": self._extension or None,
                "is_dir": is_dir,
                "item_count": len(files) if is_dir else None,
                "timestamp": datetime.now(UTC).isoformat(),
                "checksum": tree_checksum(sums) if is_dir else sums[path],
            }
        )

    def abandon(self) -> None:
        """Let nothing more be written."""
        for files in self._maps:
            files.is_complete = True
