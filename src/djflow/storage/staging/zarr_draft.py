"""Arrays and groups of Zarr in the making: `staged.zarr()`. Imports zarr when one is begun."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from djflow.errors import StorageError
from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.zarr_write import check_kind, described, growing_chunk_shape
from djflow.storage.parallel import map_threads
from djflow.storage.staging.draft import Draft, Place

if TYPE_CHECKING:
    import zarr


_OWN: Final = {"store", "name", "path", "zarr_format", "config", "overwrite"}


class ZarrDraft(Draft):
    """A tree of chunks of the row's own; what was never written is filled in at the end."""

    what = "zarr"

    def __init__(self, context: ColumnContext, extension: str) -> None:
        from djflow.storage.staging.region_writer import DraftStore

        self._place = place = Place.take(context, extension)
        self._target: DraftStore = DraftStore(place.store.zarr_store(place.path, read_only=False))
        self._node: zarr.Array[Any] | zarr.Group | None = None
        self._shape: Any = None

    def writing(self, **options: Any) -> "zarr.Array[Any] | zarr.Group":
        """An array with these options of `zarr.create_array`; a group without `shape` and `data`.

        Raises `StorageError` for another shape than that with which it was begun.
        """
        if self._node is None:
            self._node, self._shape = self._create(options), options.get("shape")
        elif options.get("shape", self._shape) != self._shape:
            raise self._place.begun_otherwise()
        return self._node

    def finish(self) -> str:
        """What the row keeps of the tree."""
        if self._node is None:
            raise self._place.nothing_written()
        store, path = self._place.store, self._place.path
        if self._target.has_travelled:
            self._target.read_back(store, path)
        for name, document in list(self._target.documents.items()):
            if document["node_type"] == "array":
                self._complete(name)
        self._target.is_complete = True
        store.sync(path)
        return self._place.reference(described(self._target))

    @property
    def has_other_writers(self) -> bool:
        """Whether the array was sent to other processes."""
        return self._target.has_travelled

    def abandon(self) -> None:
        """Let nothing more be written."""
        self._target.is_complete = True

    def _create(self, options: dict[str, Any]) -> "zarr.Array[Any] | zarr.Group":
        import zarr

        from djflow.storage.staging.region_writer import CONFIG, Origin, StagedArray

        if taken := _OWN & options.keys():
            raise StorageError(f"staged.zarr() takes no {sorted(taken)}: a staged insert gives it itself.")
        if not options.keys() & {"shape", "data"}:
            return zarr.create_group(store=self._target, zarr_format=3, **options)
        array = zarr.create_array(store=self._target, zarr_format=3, **_defaults(options), config=CONFIG)
        try:
            check_kind(array.dtype)
        except TypeError as error:
            raise StorageError(f"{error}.") from error
        return StagedArray.begin(array, Origin(self._target, self._place.store, self._place.path))

    def _complete(self, path: str) -> None:
        """Write the fill value wherever a chunk is missing, so that each that is missed later was lost."""
        from djflow.storage.staging.region_writer import open_array

        array = open_array(self._target, path)
        units = array.shards or array.chunks

        def fill(place: tuple[int, ...]) -> None:
            region = tuple(slice(at * unit, (at + 1) * unit) for at, unit in zip(place, units, strict=True))
            array[region] = array.fill_value

        map_threads(fill, list(self._missing(array, path)))

    def _missing(self, array: "zarr.Array[Any]", path: str) -> Iterator[tuple[int, ...]]:
        units = array.shards or array.chunks
        counts = [-(-extent // unit) for extent, unit in zip(array.shape, units, strict=True)]
        for place in product(*map(range, counts)):
            key = array.metadata.encode_chunk_key(place)
            if (f"{path}/{key}" if path else key) not in self._target.sizes:
                yield place


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    from zarr.codecs import ZstdCodec

    defaults: dict[str, Any] = {"compressors": ZstdCodec(level=1)}
    like = {name: getattr(options.get("data"), name, None) for name in ("shape", "dtype")} | options
    if "shards" not in options and like["dtype"] is not None:
        shape = like["shape"]
        extents = tuple(shape) if isinstance(shape, Iterable) else (shape,)
        defaults["chunks"] = growing_chunk_shape(extents, np.dtype(like["dtype"]))
    return defaults | options
