"""Zarr arrays written into folders. Imports zarr: import this only where an array is written."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore, WrapperStore

from djflow.storage.flushing import flush


class FlushedStore(WrapperStore[LocalStore]):
    """A folder's store that flushes each value to disk, so that disks work while others are compressed.

    Its failures to write become typed errors inside `translated()`.
    """

    def __init__(self, store: LocalStore, translated: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__(store)
        self._translated = translated

    def _with_store(self, store: LocalStore) -> "FlushedStore":
        return FlushedStore(store, self._translated)

    async def set(self, key: str, value: Buffer) -> None:
        """Write the value of a key."""
        with self._translated():
            await self._store.set(key, value)
            await asyncio.to_thread(flush, self._store.root / key)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write the value of a key that has none."""
        with self._translated():
            await self._store.set_if_not_exists(key, value)
            await asyncio.to_thread(flush, self._store.root / key)
