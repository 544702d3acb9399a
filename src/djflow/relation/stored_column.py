"""A column of stored objects at once: `frame["trace"].dj`. Imports Polars."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
import polars as pl
import pyarrow as pa

from djflow.errors import StorageError
from djflow.relation.column_objects import HandleObjects, Objects, ReferenceObjects
from djflow.storage.handles.checksums import kind_of_problem
from djflow.storage.handles.prefetch import bytes_of, prefetched
from djflow.storage.handles.stored import ArrayHandle, StoredHandle
from djflow.storage.parallel import map_many

if TYPE_CHECKING:
    from djflow.relation.database import Database

Values: TypeAlias = (
    "pl.Series | pa.Array | pa.ChunkedArray | Sequence[StoredHandle | None] | np.ndarray[Any, Any]"
)

_MEMORY: Final = "1GB"
_PROBLEMS: Final = {
    "row": pl.Int64(),
    "store": pl.String(),
    "path": pl.String(),
    "problem": pl.String(),
    "detail": pl.String(),
}


@pl.api.register_series_namespace("dj")
class StoredColumn:
    """The objects that a column refers to, read several at a time.

    `values` is a store column of a frame of Polars, where this is the namespace `.dj`, or of an Arrow table,
    or the lazy references that `to_arrays` and `to_dicts` give. Nothing is read before it is asked for; nulls
    stay None. A loaded object is an array for `.npy` and Zarr, a dict of arrays for a group of Zarr, a frame
    of Polars for a frame, bytes for any other file.

    Methods take `connection`, the database whose settings have the stores; by default the one of this
    process that knows stores of these names. `threads` is how many objects are read at a time where one takes
    longer than half a millisecond; by default 32 of a remote store, else as many as there are processors, 8
    at most. They raise `MissingExternalFile` for an absent object, `CorruptObjectError` for one of another
    content, and `DjflowError` where no database, or more than one, can be meant.

    Raises `DataTypeError` for values that refer to nothing.

    >>> import io, pathlib, tempfile
    >>> from djflow.storage.codecs import NpyRef
    >>> from djflow.storage.local import LocalStore
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store, file = LocalStore(pathlib.Path(folder)), io.BytesIO()
    ...     np.save(file, np.arange(3))
    ...     store.put("a.npy", file.getvalue())
    ...     ref = NpyRef(store, "a.npy", np.dtype("int64"), (3,))
    ...     StoredColumn([ref, None]).load(), StoredColumn([ref, ref]).to_numpy().shape
    ([array([0, 1, 2]), None], (2, 3))
    """

    def __init__(self, values: Values) -> None:
        self._objects: Objects
        if isinstance(values, pa.Array | pa.ChunkedArray):
            values = pl.Series(values)
        self._objects = (
            ReferenceObjects(values) if isinstance(values, pl.Series) else HandleObjects(list(values))
        )

    def __len__(self) -> int:
        return len(self._objects.sizes)

    def __repr__(self) -> str:
        return f"StoredColumn({len(self):,} rows, {self.nbytes:,} bytes)"

    @property
    def nbytes(self) -> int:
        """How many bytes all values take in memory, as far as rows tell; of frames, those of the files."""
        return sum(self._objects.sizes)

    def open(self, *, connection: "Database | None" = None) -> list[Any]:
        """The lazy reference of each row, as `fetch1` gives it.

        What the column does not tell of an object is read from it: the metadata of Zarr, the columns of a
        frame.
        """
        opened = self._objects.opened(connection)
        return map_many(opened.handle, range(len(self)), opened.threads)

    def load(
        self,
        *,
        memory: int | str | None = None,
        threads: int | None = None,
        connection: "Database | None" = None,
    ) -> list[Any]:
        """All values in memory, in order.

        `memory`, in bytes or as a text like "2GB", is the most that they may take: where the column has
        more, `StorageError` is raised before anything is read. By default there is no limit.
        """
        if memory is not None and self.nbytes > bytes_of(memory):
            raise StorageError(f"The column takes {self.nbytes:,} bytes, more than {memory}.").suggest(
                "iter() gives one value after the other and reads ahead within a limit."
            )
        opened = self._objects.opened(connection)
        return map_many(lambda row: _value(opened.handle(row)), range(len(self)), opened.at_once(threads))

    def iter(
        self,
        memory: int | str = _MEMORY,
        *,
        threads: int | None = None,
        connection: "Database | None" = None,
    ) -> Iterator[Any]:
        """One value after the other, in order; the next ones are read meanwhile.

        `memory`, in bytes or as a text like "500MB", is the most that values take which are read, or being
        read, and not yet taken; a value that takes more is read alone.
        """
        opened, limit = self._objects.opened(connection), bytes_of(memory)
        rows = enumerate(self._objects.sizes)
        return prefetched(
            lambda row: _value(opened.handle(row)), rows, memory=limit, threads=opened.at_once(threads)
        )

    def to_numpy(
        self, *, threads: int | None = None, connection: "Database | None" = None
    ) -> np.ndarray[Any, Any]:
        """All arrays as one, the rows along its first axis; each is read into its place.

        Raises `StorageError` for nulls, for objects that are no arrays, and for arrays that differ in type
        or shape.
        """
        opened = self._objects.opened(connection)
        if len(self._objects.forms) > 1:
            raise _unlike(*sorted(map(str, self._objects.forms))[:2])
        first = _array(opened.handle(0), 0) if len(self) else None
        if first is None:
            return np.empty(0)
        stacked = np.empty((len(self), *first.shape), first.dtype)

        def fill(row: int) -> None:
            array = _array(opened.handle(row), row)
            if (array.dtype, array.shape) != (first.dtype, first.shape):
                raise _unlike((str(first.dtype), first.shape), (str(array.dtype), array.shape))
            array.read_into(stacked[row, ...])

        map_many(fill, range(len(self)), opened.at_once(threads))
        return stacked

    def verify(self, *, threads: int | None = None, connection: "Database | None" = None) -> pl.DataFrame:
        """A row for each object that is not what was written, as its size and checksum tell; reads them all.

        Columns: `row` in this column, from 0; `store`; `path`; `problem`, "missing", "corrupt" or
        "unreadable"; `detail`.
        """
        opened = self._objects.opened(connection)

        def problem(row: int) -> tuple[Any, ...] | None:
            try:
                handle = opened.handle(row)
                if handle is not None:
                    handle.verify()
            except StorageError as error:
                return row, *self._objects.place(row), kind_of_problem(error), str(error)
            return None

        found = map_many(problem, range(len(self)), opened.at_once(threads))
        return pl.DataFrame([each for each in found if each], schema=_PROBLEMS, orient="row")


def _value(handle: StoredHandle | None) -> Any:
    return None if handle is None else handle.read()


def _array(handle: StoredHandle | None, row: int) -> ArrayHandle:
    if not hasattr(handle, "read_into"):
        what = "null" if handle is None else f"no array but {handle!r}"
        raise StorageError(f"Row {row} of the column is {what}.").suggest(
            "Leave out nulls with drop_nulls(), or use load(), which keeps rows apart."
        )
    return cast("ArrayHandle", handle)


def _unlike(one: object, other: object) -> StorageError:
    return StorageError(f"The arrays differ in type or shape: {one}, {other}.").suggest(
        "Use load() or iter(), which keep rows apart."
    )
