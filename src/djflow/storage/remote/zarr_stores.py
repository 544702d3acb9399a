"""Zarr stores in remote stores. Imports zarr: import this only where an array is written or opened."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import FsspecStore, WrapperStore

from djflow.errors import DjflowError, StorageError
from djflow.storage.remote import opened
from djflow.storage.remote.failures import passes
from djflow.storage.remote.retry import RetryPolicy, run_async

if TYPE_CHECKING:
    from djflow.configuration import StoreSettings
    from djflow.storage.adapters import StorageAdapter


Result = TypeVar("Result")


def zarr_store(adapter: "StorageAdapter", settings: "StoreSettings", path: str, *, read_only: bool) -> Store:
    """A Zarr store at a full path: through `obstore`, which is faster, where the protocol and it allow."""
    spec = settings.revealed()
    open_natively = getattr(adapter, "object_store", None)
    native = open_natively(spec, path) if open_natively else None
    if native is not None:
        from djflow.storage.remote.s3_zarr import ToldObjectStore

        return ToldObjectStore(native, read_only=read_only)
    # Wrapped even if it is asynchronous: its connections belong to fsspec's event loop, not to Zarr's.
    wrapper = AsyncFileSystemWrapper if getattr(adapter, "writes_whole", False) else _FolderMaking
    files = wrapper(opened.filesystem(adapter, settings), asynchronous=True)
    return FsspecStore(files, path=path, read_only=read_only)


class _FolderMaking(AsyncFileSystemWrapper):  # type: ignore[misc]
    """A file system with folders that makes those in which a chunk is written."""

    def _wrap_all_sync_methods(self) -> None:
        super()._wrap_all_sync_methods()
        self._pipe_file = self._make_and_pipe

    async def _make_and_pipe(self, path: str, value: bytes, **_: Any) -> None:
        folder = self.sync_fs._parent(path)  # noqa: SLF001 - as this file system itself asks
        await self._makedirs(folder, exist_ok=True)
        await asyncio.to_thread(self.sync_fs.pipe_file, path, value)


class SteadyStore(WrapperStore[Store]):
    """A Zarr store that tries again what may succeed later, and raises typed errors.

    `reopen(read_only=...)` gives the store that is wrapped; a forked process opens its own.
    """

    def __init__(
        self,
        store: Store,
        reopen: Callable[..., Store],
        retry: RetryPolicy,
        refusal: Callable[[Exception], StorageError],
    ) -> None:
        super().__init__(store)
        self._reopen, self._retry, self._refusal = reopen, retry, refusal
        self._process = os.getpid()

    def _with_store(self, store: Store) -> "SteadyStore":
        return SteadyStore(store, self._reopen, self._retry, self._refusal)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The value of a key, None where there is none."""
        return await self._run(lambda: self._store.get(key, prototype, byte_range))

    async def set(self, key: str, value: Buffer) -> None:
        """Write the value of a key."""
        await self._run(lambda: self._store.set(key, value))

    async def exists(self, key: str) -> bool:
        """Whether a key has a value."""
        return await self._run(lambda: self._store.exists(key))

    async def delete(self, key: str) -> None:
        """Remove a key."""
        await self._run(lambda: self._store.delete(key))

    async def _run(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        if self._process != os.getpid():
            self._store, self._process = self._reopen(read_only=self.read_only), os.getpid()
        try:
            return await run_async(operation, self._retry, passes=passes)
        except (DjflowError, ValueError):  # Zarr's own refusals: a store that is read-only
            raise
        except Exception as error:
            raise self._refusal(error) from error
