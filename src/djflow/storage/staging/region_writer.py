"""Arrays of Zarr with several writers. Imports zarr: import this only where an array is written."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from threading import get_ident
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

import numpy as np
import zarr
from zarr.abc.store import Store as ZarrStore
from zarr.core.array import AsyncArray
from zarr.core.array_spec import ArrayConfigLike
from zarr.core.buffer import Buffer

from djflow.errors import StorageError
from djflow.storage.codecs.zarr_array import SummingStore
from djflow.storage.staging.regions import check_region
from djflow.storage.store import Store

CONFIG: Final[ArrayConfigLike] = {"write_empty_chunks": True}  # so that a missing chunk is known to be lost


def open_array(store: ZarrStore, path: str) -> "zarr.Array[Any]":
    """An array at a path of a store, to be written to; chunks of fill values are written, too."""
    found = zarr.open_array(store=store, path=path, mode="r+", zarr_format=3)
    return zarr.Array(AsyncArray(found.metadata, found.store_path, config=CONFIG))


class DraftStore(SummingStore):
    """Where an array grows until it is complete: also what is removed from it counts."""

    is_complete = False

    async def set(self, key: str, value: Buffer) -> None:
        """Write a value. Raises `StorageError` once the array is complete, as the other methods do."""
        self._check_growing()
        await super().set(key, value)

    async def delete(self, key: str) -> None:
        """Remove the value of a key."""
        self._check_growing()
        await self._store.delete(key)
        self._forget(key)

    async def delete_dir(self, prefix: str) -> None:
        """Remove all below a path."""
        self._check_growing()
        await self._store.delete_dir(prefix)
        below = f"{prefix.rstrip('/')}/" if prefix else ""
        for key in [key for key in self.sizes if key.startswith(below)]:
            self._forget(key)

    def _check_growing(self) -> None:
        if self.is_complete:
            raise StorageError("The staged array is complete: the block of its insert has ended.")

    def _forget(self, key: str) -> None:
        for known in (self.sizes, self.checksums):
            known.pop(key, None)
        if key.rpartition("/")[2] == "zarr.json":
            self.documents.pop(key.removesuffix("zarr.json").rstrip("/"), None)

    def __reduce__(self) -> tuple[Any, ...]:
        raise StorageError(
            "A staged group is written by the process that began it. An array that is staged by itself, "
            "staged.zarr(field, shape=...), can be sent to other processes."
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an array in the making lies, and which thread of which process began it."""

    target: DraftStore
    store: Store
    path: str
    process: int = field(default_factory=os.getpid)
    thread: int = field(default_factory=get_ident)

    @property
    def is_here(self) -> bool:
        """Whether this is that thread. Raises `StorageError` in a forked process."""
        if self.process != os.getpid():
            raise StorageError(
                "A staged array does not survive a fork: send it to the other process instead."
            )
        return self.thread == get_ident()


Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _where_it_began(
    method: Callable[Concatenate["StagedArray", Parameters], Result],
) -> Callable[Concatenate["StagedArray", Parameters], Result]:
    """A method for the thread that began the array. Elsewhere it raises `StorageError`."""

    @wraps(method)
    def guarded(array: "StagedArray", /, *given: Parameters.args, **named: Parameters.kwargs) -> Result:
        if not array._origin.is_here:  # noqa: SLF001 - of the same module
            raise StorageError(
                f"{method.__name__}() of a staged array is for the thread that began it; others assign "
                "slices of whole chunks, array[0:10] = block."
            )
        return method(array, *given, **named)

    return guarded


class StagedArray(zarr.Array[Any]):
    """An array in the making. The thread that began it writes as it likes, others whole chunks only.

    What is sent to another process is a `RegionWriter`.
    """

    _origin: Origin

    @classmethod
    def begin(cls, array: "zarr.Array[Any]", origin: Origin) -> "StagedArray":
        """The same array, to be written to."""
        begun = cls(array._async_array)  # noqa: SLF001 - the one way to make a subclass's array
        begun._origin = origin
        return begun

    def __setitem__(self, selection: Any, value: Any) -> None:
        if self._origin.is_here:
            super().__setitem__(selection, value)
            return
        check_region(selection, self.shape, self.shards or self.chunks)
        zarr.Array(self._async_array)[selection] = value

    append: ClassVar[Callable[..., Any]] = _where_it_began(zarr.Array.append)
    resize: ClassVar[Callable[..., Any]] = _where_it_began(zarr.Array.resize)
    set_basic_selection: ClassVar[Callable[..., Any]] = _where_it_began(zarr.Array.set_basic_selection)
    set_block_selection: ClassVar[Callable[..., Any]] = _where_it_began(zarr.Array.set_block_selection)
    set_coordinate_selection: ClassVar[Callable[..., Any]] = _where_it_began(
        zarr.Array.set_coordinate_selection
    )
    set_mask_selection: ClassVar[Callable[..., Any]] = _where_it_began(zarr.Array.set_mask_selection)
    set_orthogonal_selection: ClassVar[Callable[..., Any]] = _where_it_began(
        zarr.Array.set_orthogonal_selection
    )

    def update_attributes(self, new_attributes: dict[str, Any]) -> "StagedArray":
        """Change attributes; the others stay."""
        return StagedArray.begin(super().update_attributes(new_attributes), self._origin)

    def __reduce__(self) -> tuple[Any, ...]:
        self._origin.target.has_travelled = True
        return RegionWriter, (self._origin.store, self._origin.path)

    def __dask_tokenize__(self) -> str:
        return self._origin.target.__dask_tokenize__()


class RegionWriter:
    """A staged array as other processes have it: whole chunks, or shards, are written to it, by `[...] =`."""

    def __init__(self, store: Store, path: str) -> None:
        self._store, self._path = store, path

    def __reduce__(self) -> tuple[Any, ...]:
        return RegionWriter, (self._store, self._path)

    def __repr__(self) -> str:
        return f"RegionWriter({self._path})"

    def __setitem__(self, selection: Any, value: Any) -> None:
        array = self._array
        check_region(selection, array.shape, array.shards or array.chunks)
        array[selection] = value

    @cached_property
    def _array(self) -> "zarr.Array[Any]":
        place = self._store.zarr_store(self._path, read_only=False)
        return open_array(place, "")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array, as it was when this process first asked."""
        return tuple(self._array.shape)

    @property
    def ndim(self) -> int:
        """How many axes it has."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of its elements."""
        return np.dtype(self._array.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """The shape of a chunk."""
        return tuple(self._array.chunks)

    @property
    def shards(self) -> tuple[int, ...] | None:
        """The shape of a shard, None where there are none."""
        return self._array.shards
