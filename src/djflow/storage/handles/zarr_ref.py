"""Zarr arrays and groups that know the object they lie in. Imports zarr: import this only to open one.

What is fetched *is* a `zarr.Array` or `zarr.Group`, so that all that takes these takes it; subclasses add the
methods of handles. `path` and `store` stay Zarr's own, the path inside of the object and the store of Zarr;
where the object lies is told by `to_json()` and `full_path`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import zarr
from zarr.abc.store import ByteRequest
from zarr.abc.store import Store as ZarrStore
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.core.group import AsyncGroup
from zarr.storage import StorePath, WrapperStore

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.storage.handles.stored import StoredHandle
from djflow.storage.store import Store

if TYPE_CHECKING:
    import dask.array as da
    import xarray as xr

    _Array = zarr.Array[Any]
else:
    _Array = zarr.Array  # in its earlier versions without a parameter

_DOCUMENT = "zarr.json"


class CompleteStore(WrapperStore[ZarrStore]):
    """A store of one object, which a row refers to and in which every chunk exists.

    Zarr takes a missing chunk for one that holds only the fill value; here it means that it was lost.
    Pickling it sends djflow's store and the reference: whoever gets them opens the object anew.
    """

    home: Store
    reference: Mapping[str, Any]

    def __init__(self, store: ZarrStore, home: Store, reference: Mapping[str, Any]) -> None:
        super().__init__(store)
        self.home, self.reference = home, reference

    def _with_store(self, store: ZarrStore) -> "CompleteStore":
        return CompleteStore(store, self.home, self.reference)

    def __reduce__(self) -> tuple[Any, ...]:
        return _complete, (self.home, dict(self.reference))

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """The value of a key. Raises `MissingExternalFile` for an absent chunk."""
        try:
            found = await self._store.get(key, prototype or default_buffer_prototype(), byte_range)
        except FileNotFoundError:
            found = None
        if found is None and not key.endswith(_DOCUMENT):
            lost = f"Chunk {key!r} of {self.reference['path']!r} is not in its store."
            raise MissingExternalFile(lost).suggest(
                "The array is incomplete: restore its folder from a backup."
            )
        return found


class _ZarrHandle(StoredHandle):
    """The methods of handles, on what Zarr opened in a `CompleteStore`."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """The reference as the row keeps it; of a member of a group, that of the whole object."""
        return dict(self._opened.reference)

    @property
    def _opened(self) -> CompleteStore:
        return cast("CompleteStore", cast("zarr.Group", self).store)

    @property
    def _place(self) -> tuple[Store, str]:
        top, inner = str(self._opened.reference["path"]), cast("zarr.Group", self).path
        return self._opened.home, f"{top}/{inner}" if inner else top

    def verify(self) -> bool:
        """True if the whole object is what was written, as size and checksum tell; reads it all.

        Raises `MissingExternalFile` for an absent object, `CorruptObjectError` for another content.
        """
        from djflow.storage.handles.checksums import verify_object

        verify_object(self._opened.home, self.to_json())
        return True


class ZarrArrayRef(_ZarrHandle, _Array):
    """A lazy, read-only `zarr.Array` in a store.

    Reading raises `MissingExternalFile` for a chunk that was lost, `CorruptObjectError` for one that cannot
    be decompressed.
    """

    def get_basic_selection(self, *selection: Any, **options: Any) -> Any:
        """As Zarr's: what `array[2:5]` calls."""
        with self._decoded():
            return super().get_basic_selection(*selection, **options)

    def get_orthogonal_selection(self, *selection: Any, **options: Any) -> Any:
        """As Zarr's: what `array.oindex` calls."""
        with self._decoded():
            return super().get_orthogonal_selection(*selection, **options)

    def get_coordinate_selection(self, *selection: Any, **options: Any) -> Any:
        """As Zarr's: what `array.vindex` calls."""
        with self._decoded():
            return super().get_coordinate_selection(*selection, **options)

    def get_mask_selection(self, *selection: Any, **options: Any) -> Any:
        """As Zarr's: what `array.vindex` calls for a mask."""
        with self._decoded():
            return super().get_mask_selection(*selection, **options)

    def get_block_selection(self, *selection: Any, **options: Any) -> Any:
        """As Zarr's: what `array.blocks` calls."""
        with self._decoded():
            return super().get_block_selection(*selection, **options)

    @contextmanager
    def _decoded(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # as compressors have no errors of their own
            path = str(self._opened.reference["path"])
            reason = f"A chunk that is needed cannot be decompressed ({error})"
            raise CorruptObjectError(reason, path=path).suggest("Restore it from a backup.") from error

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take in memory."""
        return self.size * self.dtype.itemsize

    def read(self) -> np.ndarray[Any, Any]:
        """The whole array in memory."""
        return np.asarray(self[...])

    def read_into(self, target: np.ndarray[Any, Any]) -> None:
        """Fill an array of the same shape."""
        target[...] = self[...]

    def to_dask_array(self, chunks: Any = None) -> "da.Array":
        """A lazy array of Dask; workers open the store themselves and read the chunks that they compute.

        `chunks` are those of Dask; by default the array's shards, or else its chunks.

        Raises `DjflowError` where Dask is not installed.
        """
        from djflow.storage.handles.dask_arrays import lazy_array

        stored = self.shards or self.chunks
        identity = {**self.to_json(), "node": self.path}
        return lazy_array(self, stored if chunks is None else chunks, identity)

    def to_xarray(self, chunks: Any = None) -> "xr.DataArray":
        """A lazy `xarray.DataArray` with the array's dimension names and attributes.

        `chunks` are those of `to_dask_array`. Raises `DjflowError` where xarray or Dask is not installed.
        """
        from djflow.storage.handles.labelled import data_array

        return data_array(self, chunks)


class ZarrGroupRef(_ZarrHandle, zarr.Group):
    """A lazy, read-only `zarr.Group` in a store; its members are handles too."""

    def __getitem__(self, path: str) -> "ZarrArrayRef | ZarrGroupRef":
        """The array or group at a path in the group. Raises `KeyError` where there is none."""
        return _as_handle(super().__getitem__(path))

    @property
    def nbytes(self) -> int:
        """How many bytes the elements of all arrays take in memory."""
        found = (member for _, member in self.members(max_depth=None))
        return sum(node.size * node.dtype.itemsize for node in found if isinstance(node, zarr.Array))

    def read(self) -> dict[str, Any]:
        """All arrays in memory, in a dict by their names; groups are dicts in it."""
        return {name: self[name].read() for name, _ in sorted(self.members())}

    def to_xarray(self, chunks: Any = None) -> "xr.Dataset":
        """A lazy `xarray.Dataset` of the arrays that are directly in the group, with its attributes.

        An array whose name is that of its only dimension becomes a coordinate, which is read. `chunks` are
        those of `to_dask_array`. Raises `DjflowError` where xarray or Dask is not installed.
        """
        from djflow.storage.handles.labelled import dataset

        members = ((name, self[name]) for name, _ in sorted(self.arrays()))
        arrays = {name: node for name, node in members if isinstance(node, ZarrArrayRef)}
        return dataset(arrays, self, chunks)


def open_node(store: Store, reference: Mapping[str, Any]) -> ZarrArrayRef | ZarrGroupRef:
    """The array or group that a row refers to, read-only, from its metadata below `zarr` alone."""
    place = StorePath(_complete(store, reference))
    metadata = dict(reference["zarr"])
    if metadata.get("node_type") == "group":
        return ZarrGroupRef(AsyncGroup.from_dict(place, metadata))
    return ZarrArrayRef.from_dict(place, metadata)


def _complete(store: Store, reference: Mapping[str, Any]) -> CompleteStore:
    return CompleteStore(store.zarr_store(reference["path"], read_only=True), store, reference)


def _as_handle(node: "zarr.Array[Any] | zarr.Group") -> ZarrArrayRef | ZarrGroupRef:
    if isinstance(node, zarr.Array):
        return ZarrArrayRef(node._async_array)  # noqa: SLF001 - public only in later versions of Zarr
    return ZarrGroupRef(node._async_group)  # noqa: SLF001 - nor is this
