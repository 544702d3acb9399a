"""`<filepath@>`: a reference to a file that its owner keeps in a store."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from djflow.errors import StorageError
from djflow.storage.codec import ColumnContext, Values
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import StoreCodec, decode_references
from djflow.storage.handles import ObjectRef
from djflow.storage.parallel import map_threads
from djflow.storage.paths import check_path
from djflow.storage.store import Store

DEFAULT_STORE: Final = "filepath_default"  # no store can have this name: the settings use it themselves


class FilepathCodec(StoreCodec):
    """Files and folders that djflow never writes, changes or deletes; fetched as lazy `ObjectRef`.

    A value is the path of something in the store, relative to the store's location. `<filepath@>` means the
    store that the setting `stores.filepath_default` names.

    >>> FilepathCodec().get_dtype(is_store=True)
    'json'
    """

    name = "filepath"

    def validate(self, value: Any) -> None:
        """Only relative paths, or references to files."""
        _relative(value)

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """References as JSON text, once all files are known to be there; None stays null."""
        store = context.open_store(context.type.store or DEFAULT_STORE)
        rows = [row for row, value in enumerate(values) if value is not None]

        def refer(row: int) -> str:
            try:
                path = _relative(values[row])
                _check_section(path, store)
                return _reference(path, store)
            except (TypeError, ValueError) as error:
                expected = f"a path in store {store.name!r}"
                raise context.refuse(error, row=row, value=values[row], expected=expected) from error

        references = dict(zip(rows, map_threads(refer, rows), strict=True))
        return pa.array([references.get(row) for row in range(len(values))], pa.string())

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """References to the files; nothing is read."""
        return decode_references(column, context, ObjectRef.from_json, default=DEFAULT_STORE)

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path and size."""
        del context
        return reference_column(column)


def _relative(value: Any) -> str:
    if not isinstance(value, (str, Path, ObjectRef)):
        raise TypeError(
            f"<filepath@> refers to a file by its path in the store, not by {type(value).__name__}"
        )
    path = value.path if isinstance(value, ObjectRef) else str(value)
    try:
        return check_path(path)
    except StorageError as error:
        raise ValueError(error) from error


def _check_section(path: str, store: Store) -> None:
    layout = store.layout
    for prefix in (layout.hash_prefix, layout.schema_prefix):
        if _lies_in(path, prefix):
            raise ValueError(f"{path!r} lies in {prefix!r}, where djflow keeps objects of its own")
    section = layout.filepath_prefix
    if section and not _lies_in(path, section):
        raise ValueError(f"{path!r} lies outside of {section!r}, the section for such files")


def _lies_in(path: str, prefix: str) -> bool:
    return f"{path}/".startswith(f"{prefix.strip('/')}/")


def _reference(path: str, store: Store) -> str:
    found = next(store.list(path), None)
    if found is None:
        raise ValueError(f"{path!r} is not in store {store.name!r}; write the file first, then the row")
    is_dir = found.path != path
    written = datetime.now(UTC) if is_dir else found.modified
    return json.dumps(
        {
            "path": path,
            "store": store.name,
            "size": None if is_dir else found.size,
            "is_dir": is_dir,
            "timestamp": written.isoformat(),
        }
    )
