"""A lazy reference to a frame in a store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.storage.handles.stored import FileHandle
from djflow.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class FrameRef(FileHandle):
    """A frame in a store; nothing is read before it is asked for.

    `schema` gives the Arrow type of each column by its name, as text; `shape` counts rows and columns, `size`
    bytes; `format` is "parquet" or "arrow". A reference is an Arrow stream: `pl.DataFrame(ref)` reads it.
    """

    _store: Store
    path: str
    format: str
    schema: Mapping[str, str]
    shape: tuple[int, int]
    size: int | None = None
    checksum: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The reference as the row keeps it."""
        return {
            "path": self.path,
            "store": self.store,
            "shape": list(self.shape),
            "columns": [[name, kind] for name, kind in self.schema.items()],
            "size": self.size,
            "checksum": self.checksum,
        }

    @property
    def nbytes(self) -> int:
        """How many bytes the file has, 0 where the row does not tell; Parquet takes more in memory."""
        return self.size or 0

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
        return list(self.schema)

    def scan(self) -> "pl.LazyFrame":
        """A lazy frame, which reads only the columns and rows that a query needs.

        Raises `MissingExternalFile` for an absent frame.
        """
        import polars as pl

        if not self._store.exists(self.path):
            raise MissingExternalFile(f"{self.path!r} is not in store {self.store!r}.").suggest(
                "Restore it from a backup, or delete the row."
            )
        file = self._store.local_path(self.path)
        if file is not None:
            # A name of a file may look like a pattern of names, which keys can bring about.
            return pl.scan_parquet(file, glob=False) if self.format == "parquet" else _scan_arrow(file)
        from pyarrow import dataset

        files, path = self._store.filesystem(self.path)
        return pl.scan_pyarrow_dataset(dataset.dataset(path, filesystem=files, format=self.format))

    def to_arrow(self) -> pa.Table:
        """The frame; of a local Arrow file, mapped into memory.

        Raises `MissingExternalFile` for an absent frame, `CorruptObjectError` for another content.
        """
        file = self._store.local_path(self.path)
        try:
            if file is not None and self._store.exists(self.path):
                with pa.memory_map(str(file)) as mapped:
                    return _READERS[self.format](mapped)
            with self._store.open(self.path) as opened, pa.PythonFile(opened, mode="r") as read:
                return _READERS[self.format](read)
        except (pa.ArrowException, OSError) as error:
            raise CorruptObjectError(f"Not the frame that was written: {error}", path=self.path) from error

    def to_polars(self) -> "pl.DataFrame":
        """The frame. Raises as `to_arrow` does."""
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table never becomes a series
        return frame

    def to_pandas(self) -> "pd.DataFrame":
        """The frame, with the index that a frame of pandas had. Raises as `to_arrow` does."""
        return self.to_arrow().to_pandas()

    def read(self) -> "pl.DataFrame":
        """The frame, as `to_polars` gives it."""
        return self.to_polars()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return self.shape[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrameRef):
            return NotImplemented
        if self.checksum is not None and self.checksum == other.checksum:
            return True
        return (self.store, self.path) == (other.store, other.path)

    def __hash__(self) -> int:
        return hash((self.shape, tuple(self.schema)))

    def __repr__(self) -> str:
        columns = ", ".join(f"{name}: {kind}" for name, kind in self.schema.items())
        return f"FrameRef({self.shape[0]} rows, {columns})"


def open_frame(told: Mapping[str, Any], store: Store) -> FrameRef:
    """The frame that a reference names; the columns are read from the file if it does not tell them.

    Raises `MissingExternalFile` for an absent frame, `CorruptObjectError` for another content.
    """
    path = str(told["path"])
    format_ = path.rpartition(".")[2]
    columns, shape = told.get("columns"), told.get("shape")
    if columns is None or shape is None:
        try:
            with store.open(path) as opened, pa.PythonFile(opened, mode="r") as file:
                schema, rows = _DESCRIBERS[format_](file)
        except (pa.ArrowException, OSError) as error:
            raise CorruptObjectError(f"Not a frame: {error}", path=path) from error
        columns, shape = [(field.name, field.type) for field in schema], (rows, len(schema))
    named = {str(name): str(kind) for name, kind in columns}
    return FrameRef(store, path, format_, named, (shape[0], shape[1]), told.get("size"), told.get("checksum"))


def _describe_parquet(file: pa.NativeFile) -> tuple[pa.Schema, int]:
    from pyarrow import parquet

    opened = parquet.ParquetFile(file)
    return opened.schema_arrow, opened.metadata.num_rows


def _describe_arrow(file: pa.NativeFile) -> tuple[pa.Schema, int]:
    opened = pa.ipc.open_file(file)
    batches = (opened.get_batch(number) for number in range(opened.num_record_batches))
    return opened.schema, sum(batch.num_rows for batch in batches)


_DESCRIBERS: Final[dict[str, Callable[[pa.NativeFile], tuple[pa.Schema, int]]]] = {
    "arrow": _describe_arrow,
    "parquet": _describe_parquet,
}


def _read_parquet(file: pa.NativeFile) -> pa.Table:
    from pyarrow import parquet

    return parquet.ParquetFile(file).read()


def _read_arrow(file: pa.NativeFile) -> pa.Table:
    return pa.ipc.open_file(file).read_all()


_READERS: Final[dict[str, Callable[[pa.NativeFile], pa.Table]]] = {
    "arrow": _read_arrow,
    "parquet": _read_parquet,
}


def _scan_arrow(file: Path) -> "pl.LazyFrame":
    import polars as pl

    return pl.scan_ipc(file, glob=False)
