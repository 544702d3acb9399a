"""A Zarr store that is read through a cache. Imports zarr: import this only where an array is opened."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from zarr.abc.store import ByteRequest, OffsetByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore

from djflow.errors import MissingExternalFile

if TYPE_CHECKING:
    from djflow.storage.cached import CachedStore


class CachedZarr(WrapperStore[Store]):
    """A read-only Zarr store whose chunks and shards come, whole, through the cache of `files`."""

    def __init__(self, store: Store, files: "CachedStore", path: str) -> None:
        super().__init__(store)
        self._files, self._path = files, path

    def _with_store(self, store: Store) -> "CachedZarr":
        return CachedZarr(store, self._files, self._path)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The value of a key, or a range of it; None where there is none."""
        path = f"{self._path}/{key}"
        try:
            data = await asyncio.to_thread(self._read, path, byte_range)
        except MissingExternalFile:
            return None
        if data is None:
            return await self._store.get(key, prototype, byte_range)
        return prototype.buffer.from_bytes(data)

    def _read(self, path: str, byte_range: ByteRequest | None) -> bytes | None:
        if byte_range is None:
            return self._files.get(path)
        return _piece(self._files.kept, path, byte_range)


def _piece(kept: Callable[[str], Path | None], path: str, byte_range: ByteRequest) -> bytes | None:
    """A range of a file from the cache; None where that has no copy."""
    copy = kept(path)
    if copy is None:
        return None
    try:
        with copy.open("rb") as file:
            return _read_range(file, byte_range)
    except OSError:  # it went from the cache just now
        return None


def _read_range(file: BinaryIO, byte_range: ByteRequest) -> bytes:
    match byte_range:
        case RangeByteRequest(start, end):
            file.seek(start)
            return file.read(end - start)
        case OffsetByteRequest(offset):
            file.seek(offset)
            return file.read()
        case SuffixByteRequest(suffix):
            file.seek(max(file.seek(0, os.SEEK_END) - suffix, 0))
            return file.read()
