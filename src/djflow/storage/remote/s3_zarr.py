"""Zarr arrays through `obstore`, with errors as the rest of djflow tells them. Imports both libraries."""

from typing import TYPE_CHECKING, Any

from zarr.storage import ObjectStore

from djflow.storage.remote.s3_objects import told

if TYPE_CHECKING:
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype


class ToldObjectStore(ObjectStore[Any]):
    """A Zarr store whose errors say what the server answered, and never how it was asked."""

    async def get(
        self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None
    ) -> "Buffer | None":
        """The value of a key, None where there is none."""
        with told():
            return await super().get(key, prototype, byte_range)

    async def set(self, key: str, value: "Buffer") -> None:
        """Write the value of a key."""
        with told():
            await super().set(key, value)

    async def exists(self, key: str) -> bool:
        """Whether a key has a value."""
        with told():
            return await super().exists(key)

    async def delete(self, key: str) -> None:
        """Remove a key."""
        with told():
            await super().delete(key)
