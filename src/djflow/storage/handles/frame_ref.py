"""A lazy reference to a frame in a store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from djflow.errors import CorruptObjectError, MissingExternalFile
from djflow.storage.handles.checksums import verify_object
from djflow.storage.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class FrameRef:
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

    @property
    def store(self) -> str | None:
        """The name of the store."""
        return self._store.name or None

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
            raise MissingExternalFile(f"{self.path!r} is not in store {self.store!r}.")
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

    def verify(self) -> bool:
        """True if the file is what was written, as size and checksum tell; reads it all.

        Raises `MissingExternalFile` for an absent file, `CorruptObjectError` for another content.
        """
        verify_object(self._store, {"path": self.path, "size": self.size, "checksum": self.checksum})
        return True

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
