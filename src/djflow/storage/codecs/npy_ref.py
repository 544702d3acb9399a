"""A lazy reference to an array in a store."""

from collections.abc import Iterator
from math import prod
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from djflow.errors import CorruptObjectError, StorageError
from djflow.storage.store import Store

MmapMode: TypeAlias = Literal["r", "r+", "c"]


class NpyRef(NDArrayOperatorsMixin):
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

    __slots__ = ("_loaded", "_store", "dtype", "path", "shape")

    def __init__(self, store: Store, path: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self._store = store
        self._loaded: np.ndarray[Any, Any] | None = None
        self.path = path
        self.dtype = dtype
        self.shape = shape

    @property
    def store(self) -> str | None:
        """The name of the store."""
        return self._store.name or None

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

        Raises `MissingExternalFile` for an absent file and `CorruptObjectError` for another array.
        """
        if mmap_mode is not None:
            return self._map(mmap_mode)
        if self._loaded is None:
            self._loaded = self._read()
        return self._loaded

    def _map(self, mode: MmapMode) -> np.ndarray[Any, Any]:
        file = self._store.local_path(self.path)
        if file is not None and self._store.exists(self.path) and self.size:
            try:
                return self._checked(np.load(file, mmap_mode=mode, allow_pickle=False))
            except (ValueError, EOFError) as error:
                raise self._corrupt(str(error)) from error
        array = self._read()
        if mode == "r+":
            raise StorageError(f"{self.path!r} lies in a remote store and cannot be changed in place.")
        array.flags.writeable = mode == "c"
        return array

    def _read(self) -> np.ndarray[Any, Any]:
        with self._store.open(self.path) as file:
            try:
                return self._checked(np.load(file, allow_pickle=False))
            except (ValueError, EOFError) as error:
                raise self._corrupt(str(error)) from error

    def _checked(self, array: Any) -> np.ndarray[Any, Any]:
        if not isinstance(array, np.ndarray) or (array.shape, array.dtype) != (self.shape, self.dtype):
            found = f"{getattr(array, 'dtype', None)} of shape {getattr(array, 'shape', None)}"
            raise self._corrupt(f"the file holds {found}, the row says {self.dtype} of shape {self.shape}")
        return array

    def _corrupt(self, reason: str) -> CorruptObjectError:
        return CorruptObjectError(f"Not the array that was written: {reason.rstrip('.')}", path=self.path)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:  # noqa: FBT001
        return np.array(self.load(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        arrays = [value.load() if isinstance(value, NpyRef) else value for value in inputs]
        return getattr(ufunc, method)(*arrays, **options)

    def __getitem__(self, index: Any) -> Any:
        if self._loaded is None and self._store.local_path(self.path) is not None:
            # Only the pages that the index touches are read.
            return np.array(self._map("r")[index])[()]
        return self.load()[index]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without dimensions")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.load())

    def __bool__(self) -> bool:
        return bool(self.load())

    def __reduce__(self) -> tuple[Any, ...]:
        return NpyRef, (self._store, self.path, self.dtype, self.shape)

    def __repr__(self) -> str:
        state = "loaded" if self.is_loaded else "not loaded"
        return f"NpyRef(shape={self.shape}, dtype={self.dtype}, {state})"
