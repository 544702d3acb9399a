"""Zarr arrays in stores of djflow. Imports zarr: import this only where an array is written."""

import json
from collections.abc import Mapping
from typing import Any

import zarr
from zarr.abc.store import Store as ZarrStore
from zarr.codecs import ZstdCodec
from zarr.core.buffer import Buffer
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import WrapperStore

from djflow.storage.handles.checksums import CRC32C, checksum, read_checksums
from djflow.storage.paths import new_token
from djflow.storage.store import Store

_DOCUMENT = "zarr.json"
_TOKEN_LENGTH = 20


class SummingStore(WrapperStore[ZarrStore]):
    """A store that sums up what is written to it; each key counts with its last value.

    `has_travelled` tells that it was sent to other processes, of whose writing it knows nothing.
    """

    has_travelled: bool

    def __init__(self, store: ZarrStore) -> None:
        super().__init__(store)
        self.sizes: dict[str, int] = {}
        self.checksums: dict[str, str] = {}
        self.documents: dict[str, dict[str, Any]] = {}
        self.has_travelled = False
        self._token = new_token(_TOKEN_LENGTH)

    def __reduce__(self) -> tuple[Any, ...]:
        self.has_travelled = True
        return SummingStore, (self._store,)

    def __dask_tokenize__(self) -> str:  # instead of pickling it, which would mean that it travels
        return self._token

    def _with_store(self, store: ZarrStore) -> "SummingStore":
        return SummingStore(store)

    def read_back(self, store: Store, path: str) -> None:
        """Take the sizes and checksums of what is there; `path` is where it lies in `store`."""
        files = list(store.list(path))
        self.sizes = {file.path.removeprefix(f"{path}/"): file.size for file in files}
        self.checksums = read_checksums(store, path, files, CRC32C)

    async def set(self, key: str, value: Buffer) -> None:
        """Write a value; metadata is kept by the path that it describes, "" for the root's."""
        data = value.to_bytes()
        await self._store.set(key, value)
        self.sizes[key] = len(data)
        self.checksums[key] = checksum(data, CRC32C)
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
