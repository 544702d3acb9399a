"""Zarr stores that tell what is written to them. Imports zarr: import this only where an array is written."""

from collections.abc import Callable
from typing import Any

from zarr.abc.store import Store
from zarr.core.buffer import Buffer
from zarr.storage import WrapperStore


class WatchedZarrStore(WrapperStore[Store]):
    """Another store; `advance` is told the size of each value that it has been given."""

    def __init__(self, store: Store, advance: Callable[[int], object]) -> None:
        super().__init__(store)
        self._advance = advance

    def __reduce__(self) -> tuple[Any, ...]:
        return _itself, (self._store,)  # who watches is of this process

    def _with_store(self, store: Store) -> "WatchedZarrStore":
        return WatchedZarrStore(store, self._advance)

    async def set(self, key: str, value: Buffer) -> None:
        """Write a value."""
        await self._store.set(key, value)
        self._advance(len(value))


def _itself(store: Store) -> Store:
    return store
