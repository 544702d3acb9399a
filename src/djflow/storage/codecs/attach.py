"""`<attach>`: a file with its name, in the table or, as `<attach@>`, in a store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from djflow.errors import CorruptObjectError, StorageError
from djflow.storage.codec import Codec, ColumnContext, Values, codec_for
from djflow.storage.codecs.hash import hashed
from djflow.storage.files import copying_from
from djflow.storage.handles.unpack import is_safe_name, unpack_file
from djflow.storage.parallel import map_threads
from djflow.storage.staging.content_draft import content_draft
from djflow.storage.staging.draft import MakeDraft

_ENDS: Final = b"\0"  # the name; the content follows


class AttachCodec(Codec):
    """Files of this machine; fetched as paths of copies in the folder that `download_path` names.

    A copy never replaces another file: it gets a number where its name is taken. Equal contents of equal
    names are kept once in a store, and once in the folder.

    >>> AttachCodec().get_dtype(is_store=True)
    '<hash>'
    """

    name = "attach"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        """`bytes` in the table, `<hash>` in a store."""
        return "<hash>" if is_store else "bytes"

    def validate(self, value: Any) -> None:
        """Only a path of a file that is there."""
        if not isinstance(value, (str, Path)):
            raise TypeError(f"<attach> stores a file, given by its path, not {type(value).__name__}")
        path = Path(value)
        if not path.is_file():
            reason = "is a folder, which <object@> stores" if path.is_dir() else "is no file"
            raise ValueError(f"{str(path)!r} {reason}")
        if not is_safe_name(path.name):
            raise ValueError(f"{path.name!r} is a name that not every machine can have")

    def encode(
        self, value: Any, *, key: Mapping[str, Any] | None = None, store_name: str | None = None
    ) -> bytes:
        """The file's name and content."""
        del key, store_name
        path = Path(value)
        with copying_from(path) as file:
            return path.name.encode() + _ENDS + file.read()

    def decode(self, stored: Any, *, key: Mapping[str, Any] | None = None) -> str:
        """The path of a copy in the working folder; a column is decoded into the configured one."""
        del key
        return _unpack(stored, Path())

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Names and contents, or references to them; all files are looked at before the first is read."""
        rows = [row for row, value in enumerate(values) if value is not None]
        for row in rows:
            try:
                self.validate(values[row])
            except (TypeError, ValueError) as error:
                raise context.refuse(error, row=row, value=values[row]) from error
        read = dict(zip(rows, map_threads(lambda row: self.encode(values[row]), rows), strict=True))
        contents = [read.get(row) for row in range(len(values))]
        if context.type.store is None:
            return pa.array(contents, pa.binary())
        inner = hashed(context)
        return codec_for(inner.type).encode_column(contents, inner)

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.open()`, for the content of a file that is named after the attribute and the extension."""
        return {"open": content_draft(_before)}

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """The paths of copies in the download folder, which is made where it is missing.

        Raises `CorruptObjectError`, with the row, for bytes that are no file or an unsafe name.
        """
        contents = column.to_pylist() if context.type.store is None else self._fetch(column, context)

        def save(row: int) -> str | None:
            content = contents[row]
            try:
                return None if content is None else _unpack(content, context.download_path)
            except CorruptObjectError as error:
                error.add_note(f"It is in row {row} of column {context.attribute!r}.")
                raise

        return map_threads(save, range(len(contents)))

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The paths as text."""
        # In long strings: short ones in a column of a codec mean references, not decoded yet.
        return pa.array(self.decode_column(column, context), pa.large_string())

    def _fetch(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        inner = hashed(context)
        return codec_for(inner.type).decode_column(column, inner)


def _before(name: str, _size: int) -> bytes:
    if not is_safe_name(name):
        raise StorageError(f"{name!r} is a name that not every machine can have.")
    return name.encode() + _ENDS


def _unpack(stored: bytes, folder: Path) -> str:
    name, found, content = bytes(stored).partition(_ENDS)
    try:
        text = name.decode()
    except UnicodeDecodeError:
        text = ""
    if not found or not is_safe_name(text):
        raise CorruptObjectError(f"These bytes hold no file, or one with an unsafe name: {name[:100]!r}")
    return str(unpack_file(folder, text, content))
