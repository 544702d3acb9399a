"""Zarr arrays in stores of djflow. Imports zarr: import this only where an array is written or opened."""

from collections.abc import Mapping
from typing import Any

import zarr
from zarr.abc.store import ByteRequest
from zarr.abc.store import Store as ZarrStore
from zarr.codecs import ZstdCodec
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import StorePath, WrapperStore

from djflow.errors import MissingExternalFile
from djflow.storage.store import Store

_DOCUMENT = "zarr.json"


class CompleteStore(WrapperStore[ZarrStore]):
    """A store in which every chunk exists.

    Zarr takes a missing chunk for one that holds only the fill value; here it means that it was lost.
    """

    def __init__(self, store: ZarrStore, path: str) -> None:
        super().__init__(store)
        self.path = path

    def _with_store(self, store: ZarrStore) -> "CompleteStore":
        return CompleteStore(store, self.path)

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The value of a key. Raises `MissingExternalFile` for an absent chunk."""
        try:
            found = await self._store.get(key, prototype or default_buffer_prototype(), byte_range)
        except FileNotFoundError:
            found = None
        if found is None and not key.endswith(_DOCUMENT):
            raise MissingExternalFile(f"Chunk {key!r} of {self.path!r} is not in its store.").suggest(
                "The array is incomplete: restore its folder from a backup."
            )
        return found


def create(store: ZarrStore, source: Any, chunks: tuple[int, ...]) -> "zarr.Array[Any]":
    """An empty array like `source` at the root of `store`."""
    return zarr.create_array(
        store=store,
        shape=source.shape,
        dtype=source.dtype,
        chunks=chunks,
        compressors=ZstdCodec(level=1),
        zarr_format=3,
        attributes=dict(source.attrs) if isinstance(source, zarr.Array) else None,
        # Every chunk is written, so that a missing one is known to be lost.
        config={"write_empty_chunks": True},
    )


def metadata_text(array: "zarr.Array[Any]") -> bytes:
    """The document that describes an array, as Zarr writes it."""
    documents = array.metadata.to_buffer_dict(default_buffer_prototype())
    return documents[_DOCUMENT].to_bytes()


def open_array(store: Store, path: str, metadata: Mapping[str, Any]) -> "zarr.Array[Any]":
    """The array at `path`, read-only, from its metadata alone."""
    complete = CompleteStore(store.zarr_store(path, read_only=True), path)
    return zarr.Array.from_dict(StorePath(complete), dict(metadata))
