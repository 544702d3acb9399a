"""`<hash@>`: bytes in a store, named by their hash, so that equal contents are kept once a schema."""

import json
from dataclasses import dataclass, replace
from typing import Any, Final

import pyarrow as pa

from djflow.errors import CorruptObjectError
from djflow.model.types import CodecType
from djflow.storage.codec import ColumnContext, Values
from djflow.storage.codecs.store_codec import StoreCodec, parse_reference, store_of
from djflow.storage.parallel import map_threads
from djflow.storage.paths import content_hash, hash_path
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
        held = map_threads(lambda content: _holds(store, content), list(placed.values()))
        absent = [content for content, is_held in zip(placed.values(), held, strict=True) if not is_held]
        map_threads(lambda content: store.put(content.path, content.data), absent)
        schema = context.table.schema
        return pa.array(
            [content and _reference(placed[content.path], store.name, schema) for content in contents],
            pa.string(),
        )

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
        objects = dict(
            zip(wanted, map_threads(lambda pair: _read(*pair), list(wanted.values())), strict=True)
        )
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


def hashed(context: ColumnContext) -> ColumnContext:
    """The context in which a codec's bytes are encoded as contents in its store."""
    return replace(context, type=CodecType("hash", context.type.store))


def _reference(content: _Content, store: str, schema: str) -> str:
    return json.dumps(
        {
            "hash": content.hash,
            "path": content.path,
            "size": len(content.data),
            "store": store,
            "schema": schema,
        }
    )


def _holds(store: Store, content: _Content) -> bool:
    # A size that differs is damage, which writing again mends.
    return store.exists(content.path) and store.size(content.path) == len(content.data)


def _read(store: Store, reference: dict[str, Any]) -> bytes:
    data = store.get(reference["path"])
    found = content_hash(data)
    if found != reference.get("hash"):
        raise CorruptObjectError(
            f"The content has hash {found}, but the row says {reference.get('hash')}", path=reference["path"]
        ).suggest("The file was changed or damaged after it was written; restore it from a backup.")
    return data
