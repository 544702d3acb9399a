"""A lazy reference to an array in a store."""

from collections.abc import Callable, Iterator
from math import prod
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from djflow.errors import InvalidArgumentError, StorageError
from djflow.storage.cached import without_cache
from djflow.storage.handles.npy_file import corrupt, leading_rows, read_array, read_rows
from djflow.storage.handles.stored import FileHandle
from djflow.storage.store import Store

if TYPE_CHECKING:
    import dask.array as da

MmapMode: TypeAlias = Literal["r", "r+", "c"]

_LARGE: Final = 1 << 20  # bytes of an array in a remote store of which parts are read


class NpyRef(FileHandle, NDArrayOperatorsMixin):
    """An array that is read from its store when it is used first, then kept.

    NumPy's functions, operators and indexing take it for an array. Shape and type are known without reading.

    >>> import tempfile, pathlib, io
    >>> from djflow.storage.local import LocalStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store, file = LocalStore(pathlib.Path(folder), "main"), io.BytesIO()
    ...     np.save(file, np.arange(3))
    ...     store.put("a.npy", file.getvalue())
    ...     ref = NpyRef(store, "a.npy", np.dtype("int64"), (3,))
    ...     print(ref)
    ...     ref + 1
    NpyRef(shape=(3,), dtype=int64, not loaded)
    array([1, 2, 3])
    """

    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    checksum: str | None

    __slots__ = ("_file_size", "_loaded", "_store", "checksum", "dtype", "path", "shape")

    def __init__(
        self,
        store: Store,
        path: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        *,
        file_size: int | None = None,
        checksum: str | None = None,
    ) -> None:
        self._store = store
        self._loaded: np.ndarray[Any, Any] | None = None
        self._file_size = file_size
        self.path = path
        self.dtype = dtype
        self.shape = shape
        self.checksum = checksum

    def to_json(self) -> dict[str, Any]:
        """The reference as the row keeps it; its `size` is that of the file, in bytes."""
        return {
            "path": self.path,
            "store": self.store,
            "dtype": str(self.dtype),
            "shape": list(self.shape),
            "size": self._file_size,
            "checksum": self.checksum,
        }

    @property
    def ndim(self) -> int:
        """How many dimensions the array has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements the array has."""
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How many bytes the elements take in memory."""
        return self.size * self.dtype.itemsize

    @property
    def is_loaded(self) -> bool:
        """Whether the array is in memory."""
        return self._loaded is not None

    def load(self, mmap_mode: MmapMode | None = None) -> np.ndarray[Any, Any]:
        """The array; read once, unless mapped.

        `mmap_mode` maps the file of a local store instead of reading it: "r" for reading only, "c" for
        changes that stay in memory, "r+" for changes that are saved. In a remote store, "r" and "c" read the
        whole file.

        Raises `MissingExternalFile` for an absent file, `CorruptObjectError` for another array and
        `InvalidArgumentError` for another mode.
        """
        if mmap_mode is not None:
            if mmap_mode not in get_args(MmapMode):  # such as "w+", which empties the file
                raise InvalidArgumentError(f"mmap_mode is one of 'r', 'r+', 'c', not {mmap_mode!r}.")
            return self._map(mmap_mode)
        if self._loaded is None:
            self._loaded = self.read()
        return self._loaded

    def read(self) -> np.ndarray[Any, Any]:
        """The array, read anew and not kept. Raises as `load` does."""
        return read_array(self._store, self.path, self.dtype, self.shape)

    def read_into(self, target: np.ndarray[Any, Any]) -> None:
        """Fill an array of the same shape, without another one in between if it is contiguous.

        Raises as `load` does.
        """
        if self._loaded is not None:
            target[...] = self._loaded
        else:
            read_array(self._store, self.path, self.dtype, self.shape, target)

    def to_dask_array(self, chunks: Any = None) -> "da.Array":
        """A lazy array of Dask; workers open the store themselves and read what they compute.

        `chunks` are those of Dask; by default blocks of whole rows of about Dask's `array.chunk-size`. In
        a remote store, chunks of whole rows are read by themselves, others with the whole file.

        Raises `DjflowError` where Dask is not installed.
        """
        from djflow.storage.handles.dask_arrays import lazy_array

        rows = ("auto", *(-1 for _ in self.shape[1:])) if self.shape else ()
        return lazy_array(self._again(), rows if chunks is None else chunks, self.to_json())

    def _again(self) -> "NpyRef":
        """The same reference, not loaded."""
        restore, told = self.__reduce__()
        return restore(*told)

    def _map(self, mode: MmapMode) -> np.ndarray[Any, Any]:
        store = without_cache(self._store) if mode == "r+" else self._store
        file = store.local_path(self.path)
        if file is not None and store.exists(self.path) and self.size:
            try:
                return self._checked(np.load(file, mmap_mode=mode, allow_pickle=False))
            except (ValueError, EOFError) as error:
                raise corrupt(self.path, error) from error
        array = self.read()
        if mode == "r+":
            raise StorageError(f"{self.path!r} lies in a remote store and cannot be changed in place.")
        array.flags.writeable = mode == "c"
        return array

    def _checked(self, array: Any) -> np.ndarray[Any, Any]:
        if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (self.shape, self.dtype):
            found = f"{getattr(array, 'dtype', None)} of shape {getattr(array, 'shape', None)}"
            raise ValueError(f"the file holds {found}, the row says {self.dtype} of shape {self.shape}")
        return array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:  # noqa: FBT001
        return np.array(self.load(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(value, NpyRef) for value in options.get("out") or ()):
            raise TypeError("the array of a row cannot be changed in place; change a copy, ref.read()")
        arrays = [value.load() if isinstance(value, NpyRef) else value for value in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __getitem__(self, index: Any) -> Any:
        if self._loaded is not None:
            return self._loaded[index]
        if self._store.local_path(self.path) is not None:
            # Only the pages that the index touches are read.
            return np.array(self._map("r")[index])[()]
        part = self._part(index)
        return self.load()[index] if part is None else part

    def _part(self, index: Any) -> Any:
        """What an index gives, read by itself; None where the whole array is to be read for it."""
        found = leading_rows(index, self.shape[0]) if self.nbytes > _LARGE and self.shape else None
        if found is None or len(found[0]) == self.shape[0]:
            return None
        rows = read_rows(self._store, self.path, self.dtype, self.shape, found[0])
        return None if rows is None else rows[found[1]]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.load())

    def __bool__(self) -> bool:
        return bool(self.load())

    def __reduce__(self) -> tuple[Callable[..., "NpyRef"], tuple[Any, ...]]:
        place = (self._store, self.path, self.dtype, self.shape)
        return _restored, (*place, self._file_size, self.checksum)

    def __repr__(self) -> str:
        state = "loaded" if self.is_loaded else "not loaded"
        return f"NpyRef(shape={self.shape}, dtype={self.dtype}, {state})"


def _restored(
    store: Store,
    path: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    file_size: int | None,
    checksum: str | None,
) -> NpyRef:
    return NpyRef(store, path, dtype, shape, file_size=file_size, checksum=checksum)
