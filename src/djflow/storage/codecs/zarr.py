"""`<zarr@>`: one chunked, compressed Zarr array or group a row, read piece by piece."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.codecs.zarr_write import check_node, write_node
from djflow.storage.handles.checksums import tree_checksum
from djflow.storage.store import Store

if TYPE_CHECKING:
    import zarr


class ZarrCodec(SchemaCodec):
    """Zarr v3 arrays and groups; fetched as lazy, read-only `zarr.Array` and `zarr.Group`.

    A value is an array of NumPy, Dask or Zarr, or a dict of arrays, which becomes a group; dicts may nest.
    Zarr arrays keep chunks, shards, compressors, filters and attributes. All metadata is kept in the row too,
    so that opening reads nothing from the store. A chunk that is missing from the store is an error, never a
    block of zeros.

    >>> ZarrCodec().get_dtype(is_store=True)
    'json'
    """

    name = "zarr"
    extension = ".zarr"

    def validate(self, value: Any) -> None:
        """Anything that NumPy takes for an array of numbers, and trees of it."""
        check_node(value)

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one array or group, chunk by chunk."""
        from djflow.storage.codecs.zarr_array import SummingStore

        target = SummingStore(store.zarr_store(path, read_only=False))
        write_node(target, value)
        store.sync(path)
        return {
            **_array_of(target.documents[""]),
            "size": sum(target.sizes.values()),
            "checksum": tree_checksum(target.checksums),
            "zarr": target.document,
        }

    def open(self, reference: Mapping[str, Any], store: Store) -> "zarr.Array[Any] | zarr.Group":
        """The array or group; nothing is read yet."""
        from djflow.storage.codecs.zarr_array import open_node

        return open_node(store, reference["path"], reference["zarr"])

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path, dtype, shape, size and checksum."""
        del context
        return reference_column(column)


def _array_of(document: Mapping[str, Any]) -> dict[str, Any]:
    if document["node_type"] == "group":
        return {}
    return {"dtype": document["data_type"], "shape": document["shape"]}
