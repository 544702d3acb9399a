"""`<zarr@>`: one chunked, compressed Zarr array or group a row, read piece by piece."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.codecs.zarr_write import check_node, described, write_node
from djflow.storage.staging.draft import MakeDraft
from djflow.storage.store import Store

if TYPE_CHECKING:
    from djflow.storage.handles.zarr_ref import ZarrArrayRef, ZarrGroupRef


class ZarrCodec(SchemaCodec):
    """Zarr v3 arrays and groups; fetched as lazy, read-only `zarr.Array` and `zarr.Group` that are handles.

    A value is an array of NumPy, Dask or Zarr, `Chunks`, or a dict of these, which becomes a group; dicts
    may nest. Zarr arrays keep chunks, shards, compressors, filters and attributes. All metadata is kept in
    the row too, so that opening reads nothing from the store. A chunk that is missing from the store is an
    error, never a block of zeros.

    >>> ZarrCodec().get_dtype(is_store=True)
    'json'
    """

    name = "zarr"
    extension = ".zarr"

    def validate(self, value: Any) -> None:
        """Anything that NumPy takes for an array of numbers, and trees of it."""
        try:
            check_node(value)
        except RecursionError:
            raise ValueError("the groups nest too deep, or one holds itself") from None

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one array or group, chunk by chunk."""
        from djflow.storage.codecs.zarr_array import SummingStore

        target = SummingStore(store.zarr_store(path, read_only=False))
        write_node(target, value)
        if target.has_travelled:  # to a cluster
            target.read_back(store, path)
        store.sync(path)
        return described(target)

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.zarr()`."""
        from djflow.storage.staging.zarr_draft import ZarrDraft

        return {"zarr": lambda context, _extension: ZarrDraft(context, self.extension)}

    def open(self, reference: Mapping[str, Any], store: Store) -> "ZarrArrayRef | ZarrGroupRef":
        """The array or group, with the methods of handles; nothing is read yet."""
        from djflow.storage.handles.zarr_ref import open_node

        return open_node(store, reference)

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path, dtype, shape, size and checksum."""
        del context
        return reference_column(column)
