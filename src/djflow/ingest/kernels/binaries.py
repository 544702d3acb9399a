"""Raw bytes."""

import pyarrow as pa

from djflow.ingest.kernels.refusal import wrong_kind


def to_binary(array: pa.Array) -> pa.Array:
    """Bytes from bytes; text must be encoded by whoever knows how."""
    if pa.types.is_binary(array.type):
        return array
    if pa.types.is_fixed_size_binary(array.type):
        return array.cast(pa.binary())
    raise wrong_kind(array, "bytes")
