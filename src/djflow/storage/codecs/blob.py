"""`<blob>`: any Python or NumPy value, in the table or, as `<blob@>`, in a store."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from djflow.storage import blob
from djflow.storage.blob.layout import BYTES, GENERAL, u64
from djflow.storage.codec import Codec, ColumnContext, Values, codec_for
from djflow.storage.codecs.hash import hashed
from djflow.storage.staging.content_draft import content_draft
from djflow.storage.staging.draft import MakeDraft


class BlobCodec(Codec):
    """Values in the blob format; equal contents in a store are kept once.

    >>> BlobCodec().decode(BlobCodec().encode({"a": [1, 2.5]}))
    {'a': [1, 2.5]}
    """

    name = "blob"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        """`bytes` in the table, `<hash>` in a store."""
        return "<hash>" if is_store else "bytes"

    def encode(
        self, value: Any, *, key: Mapping[str, Any] | None = None, store_name: str | None = None
    ) -> bytes:
        """The blob of one value."""
        del key, store_name
        return blob.pack(value)

    def decode(self, stored: Any, *, key: Mapping[str, Any] | None = None) -> Any:
        """The value of one blob."""
        del key
        return blob.unpack(stored)

    def encode_column(self, values: Values, context: ColumnContext) -> pa.Array:
        """Blobs, or references to them; arrays of one type and shape are encoded at once."""
        try:
            blobs = blob.encode_column(values)
        except (TypeError, ValueError):
            return super().encode_column(values, context)  # finds and names the row at fault
        if context.type.store is None:
            return blobs
        inner = hashed(context)
        return codec_for(inner.type).encode_column(blobs.to_pylist(), inner)

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.open()`, for a value that is bytes."""
        return {"open": content_draft(lambda _name, size: GENERAL + BYTES + u64(size))}

    def decode_column(self, column: pa.Array, context: ColumnContext) -> list[Any]:
        """The values of blobs; rows of equal arrays are views of one block of memory."""
        return list(blob.decode_column(_fetch(column, context)))

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array | None:
        """Fixed-size lists, tensors, lists or scalars, where all values have one such form."""
        return blob.arrow_values(_fetch(column, context))


def _fetch(column: pa.Array, context: ColumnContext) -> pa.Array:
    if context.type.store is None:
        return column
    inner = hashed(context)
    return pa.array(codec_for(inner.type).decode_column(column, inner), pa.large_binary())
