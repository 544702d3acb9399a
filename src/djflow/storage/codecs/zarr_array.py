"""Zarr arrays in stores of djflow. Imports zarr: import this only where an array is written or opened."""

import json
from collections.abc import Mapping
from typing import Any

import zarr
from zarr.abc.store import ByteRequest
from zarr.abc.store import Store as ZarrStore
from zarr.codecs import ZstdCodec
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.group import AsyncGroup
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import StorePath, WrapperStore

from djflow.errors import MissingExternalFile
from djflow.storage.handles.checksums import ZARR, checksum
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


class SummingStore(WrapperStore[ZarrStore]):
    """A store that sums up what is written to it; each key counts with its last value."""

    def __init__(self, store: ZarrStore) -> None:
        super().__init__(store)
        self.sizes: dict[str, int] = {}
        self.checksums: dict[str, str] = {}
        self.documents: dict[str, dict[str, Any]] = {}

    def _with_store(self, store: ZarrStore) -> "SummingStore":
        return SummingStore(store)

    async def set(self, key: str, value: Buffer) -> None:
        """Write a value; metadata is kept by the path that it describes, "" for the root's."""
        data = value.to_bytes()
        await self._store.set(key, value)
        self.sizes[key] = len(data)
        self.checksums[key] = checksum(data, ZARR)
        if key.rpartition("/")[2] == _DOCUMENT:
            self.documents[key.removesuffix(_DOCUMENT).rstrip("/")] = json.loads(data)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write a value, over none that is there: the store is new."""
        if not await self._store.exists(key):
            await self.set(key, value)

    @property
    def document(self) -> dict[str, Any]:
        """The metadata of the root and, if that is a group, of all below it."""
        below = {path: found for path, found in self.documents.items() if path}
        root = self.documents[""]
        inline = {"kind": "inline", "must_understand": False, "metadata": below}
        return root | ({"consolidated_metadata": inline} if root["node_type"] == "group" else {})


def create(store: ZarrStore, path: str, source: Any, chunks: tuple[int, ...]) -> "zarr.Array[Any]":
    """An empty array like `source` at a path of `store`; of a Zarr array, all that describes it is kept."""
    return zarr.create_array(
        store=store,
        name=path or None,
        shape=source.shape,
        dtype=source.dtype,
        chunks=chunks,
        zarr_format=3,
        # Every chunk is written, so that a missing one is known to be lost.
        config={"write_empty_chunks": True},
        **_options(source),
    )


def _options(source: Any) -> dict[str, Any]:
    if not isinstance(source, zarr.Array):
        return {"compressors": ZstdCodec(level=1)}
    kept = {"attributes": dict(source.attrs), "fill_value": source.fill_value}
    if not isinstance(source.metadata, ArrayV3Metadata):  # whose codecs have no names in version 3
        return kept | {"compressors": ZstdCodec(level=1)}
    return kept | {
        "shards": source.shards,
        "compressors": source.compressors,
        "filters": source.filters,
        "serializer": source.serializer,
        "dimension_names": source.metadata.dimension_names,
    }


def create_group(store: ZarrStore, path: str, attributes: Mapping[str, Any]) -> None:
    """An empty group at a path of `store`."""
    zarr.create_group(store=store, path=path or None, attributes=dict(attributes), zarr_format=3)


def open_node(store: Store, path: str, metadata: Mapping[str, Any]) -> "zarr.Array[Any] | zarr.Group":
    """The array or group at `path`, read-only, from its metadata alone."""
    place = StorePath(CompleteStore(store.zarr_store(path, read_only=True), path))
    if metadata.get("node_type") == "group":
        return zarr.Group(AsyncGroup.from_dict(place, dict(metadata)))
    return zarr.Array.from_dict(place, dict(metadata))
