"""`<hash@>`: bytes in a store, named by their hash, so that equal contents are kept once a schema."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from djflow.errors import CorruptObjectError
from djflow.model.types import CodecType
from djflow.storage.codec import ColumnContext, Values
from djflow.storage.codecs.store_codec import StoreCodec, parse_reference, store_of
from djflow.storage.parallel import map_threads, threads_for
from djflow.storage.paths import content_hash, hash_path
from djflow.storage.progress import watched
from djflow.storage.shared_content import content_reference, holds
from djflow.storage.staging.content_draft import content_draft
from djflow.storage.staging.draft import MakeDraft
from djflow.storage.store import Store

_BYTES: Final = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class _Content:
    hash: str
    path: str
    data: bytes


class HashCodec(StoreCodec):
    """Bytes addressed by their content.

    >>> HashCodec().get_dtype(is_store=True)
    'json'
    """

    name = "hash"

    def validate(self, value: Any) -> None:
        """Only bytes can be hashed."""
        if not isinstance(value, _BYTES):
            raise TypeError(f"<hash@> stores bytes, not {type(value).__name__}; <blob@> stores any value")

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Put what the store lacks and return references as JSON text; None stays null."""
        store = context.store
        contents = [
            None if value is None else self._content(value, store, context, row)
            for row, value in enumerate(values)
        ]
        distinct = {content.path: content for content in contents if content is not None}
        chosen = context.share(store.name, list(distinct))
        placed = {
            path: replace(content, path=place)
            for (path, content), place in zip(distinct.items(), chosen, strict=True)
        }
        threads = threads_for([store])
        held = map_threads(
            lambda each: holds(store, each.path, len(each.data)), list(placed.values()), threads
        )
        absent = [content for content, is_held in zip(placed.values(), held, strict=True) if not is_held]
        label = f"{context.table}.{context.attribute}"
        with store.batch() as batch, watched(batch, label, len(absent)) as (target, done):

            def put(content: _Content) -> None:
                target.put(content.path, content.data)
                done()

            for content, is_held in zip(placed.values(), held, strict=True):
                if is_held:  # by a writer who may not have flushed it yet
                    batch.sync(content.path)

            map_threads(put, absent, threads)
        schema = context.table.schema
        return pa.array(
            [content and _refer(placed[content.path], store.name, schema) for content in contents],
            pa.string(),
        )

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.open()`, for the bytes."""
        return {"open": content_draft(lambda _name, _size: b"")}

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[bytes | None]:
        """The bytes, each object read once and checked against its hash.

        Raises `MissingExternalFile` for an absent object, `CorruptObjectError` for another content.
        """
        stores: dict[str, Store] = {}
        references = [
            None if text is None else parse_reference(text, context, row)
            for row, text in enumerate(column.to_pylist())
        ]
        wanted = {
            (store_of(reference, stores, context).name, reference["path"]): (
                store_of(reference, stores, context),
                reference,
            )
            for reference in references
            if reference is not None
        }
        read = map_threads(lambda pair: _read(*pair), list(wanted.values()), threads_for(stores.values()))
        objects = dict(zip(wanted, read, strict=True))
        return [
            None
            if reference is None
            else objects[store_of(reference, stores, context).name, reference["path"]]
            for reference in references
        ]

    def _content(self, value: Any, store: Store, context: ColumnContext, row: int) -> _Content:
        try:
            self.validate(value)
        except TypeError as error:
            raise context.refuse(error, row=row, value=value, expected="bytes") from error
        data = bytes(value)
        name = content_hash(data)
        return _Content(name, hash_path(store.layout, context.table.schema, name), data)


def _refer(content: _Content, store: str, schema: str) -> str:
    return content_reference(store, schema, content.path, content.hash, len(content.data))


def hashed(context: ColumnContext) -> ColumnContext:
    """The context in which a codec's bytes are encoded as contents in its store."""
    return replace(context, type=CodecType("hash", context.type.store))


def _read(store: Store, reference: dict[str, Any]) -> bytes:
    data = store.get(reference["path"])
    found = content_hash(data)
    if found != reference.get("hash"):
        raise CorruptObjectError(
            f"The content has hash {found}, but the row says {reference.get('hash')}", path=reference["path"]
        ).suggest("The file was changed or damaged after it was written; restore it from a backup.")
    return data
