"""`<object@>`: a file or a folder of a row's own in a store."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.object_source import extension_of, source_of, write_content
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.handles import ObjectRef
from djflow.storage.handles.checksums import tree_checksum
from djflow.storage.parallel import map_threads
from djflow.storage.staging.draft import MakeDraft
from djflow.storage.staging.file_draft import FileDraft
from djflow.storage.staging.tree_draft import TreeDraft
from djflow.storage.store import Store


class ObjectCodec(SchemaCodec):
    """Files, folders, bytes and streams as they are; fetched as lazy `ObjectRef`.

    A value is a path of this machine, bytes, an `ObjectRef` of another row, or a pair `(extension, value)`,
    in which the value may be an open binary file too.

    >>> ObjectCodec().get_dtype(is_store=True)
    'json'
    """

    name = "object"

    def validate(self, value: Any) -> None:
        """Only what is there and can be read as files."""
        source_of(value)

    def extension_for(self, value: Any) -> str:
        """The file's extension, or the one given with the value."""
        return extension_of(value)

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write the files, several of a folder at a time."""
        source = source_of(value)

        def put(name: str) -> tuple[int, str]:
            return write_content(contents[name], store, f"{path}/{name}" if source.is_dir else path)

        contents = dict(source.files)
        written = dict(zip(contents, map_threads(put, list(contents)), strict=True))
        sums = {name: checksum for name, (_, checksum) in written.items()}
        return {
            "size": sum(size for size, _ in written.values()),
            "ext": source.extension or None,
            "is_dir": source.is_dir,
            "item_count": len(written) if source.is_dir else None,
            "timestamp": datetime.now(UTC).isoformat(),
            "checksum": tree_checksum(sums) if source.is_dir else sums[""],
        }

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.store()` for folders and `staged.open()` for files."""
        return {"store": TreeDraft, "open": _file_draft}

    def open(self, reference: Mapping[str, Any], store: Store) -> ObjectRef:
        """A reference that reads when it is asked to."""
        return ObjectRef.from_json(reference, store)

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path, size and checksum."""
        del context
        return reference_column(column)


def _file_draft(context: ColumnContext, extension: str) -> FileDraft:
    def describe(_store: Store, _path: str) -> Mapping[str, Any]:
        return {
            "ext": extension or None,
            "is_dir": False,
            "item_count": None,
            "timestamp": datetime.now(UTC).isoformat(),
        }

    return FileDraft(context, extension, describe)
