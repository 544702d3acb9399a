"""What `<arrow@>` and `<parquet@>` have in common: a frame in a file of the row's own."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import IO, Any, ClassVar, Final

import pyarrow as pa

from djflow.storage.codec import ColumnContext
from djflow.storage.codecs.references import reference_column
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.handles import FrameRef
from djflow.storage.handles.checksums import SummedFile
from djflow.storage.staging.draft import MakeDraft
from djflow.storage.staging.frame_draft import FrameDraft, FrameWriter, describe_frame
from djflow.storage.store import Store

_STREAM: Final = "__arrow_c_stream__"
_COLUMNS: Final = ("Series", "ChunkedArray")  # which give streams of Arrow, too


class FrameCodec(SchemaCodec, register=False):
    """A frame of Polars, pandas or Arrow, written batch by batch; fetched as lazy `FrameRef`."""

    format: ClassVar[str]

    @abstractmethod
    def writer(self, schema: pa.Schema, file: IO[bytes]) -> FrameWriter:
        """What writes batches of one schema to a file."""

    def validate(self, value: Any) -> None:
        """Only frames and what gives Arrow batches; no query is run."""
        if not hasattr(value, _STREAM) and not _is_lazy(value) and not isinstance(value, pa.RecordBatch):
            raise TypeError(f"<{self.name}@> stores a frame, not {type(value).__name__}")
        if type(value).__name__ in _COLUMNS:
            raise TypeError(f"<{self.name}@> stores a frame, not one column; make it a frame of one column")

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        """Write one frame. Raises `TypeError` or `ValueError` for columns that a file cannot hold."""
        try:
            batches = _batches(value)
            schema = batches.schema
            with store.create(path) as file:
                target = SummedFile(file)
                rows = self._write_batches(batches, target)  # type: ignore[arg-type] # what Arrow calls of it
        except pa.ArrowNotImplementedError as error:
            raise TypeError(str(error)) from error
        return {**describe_frame(schema, rows), "size": target.size, "checksum": target.checksum}

    def stages(self) -> Mapping[str, MakeDraft]:
        """`staged.frames()`."""
        return {
            "frames": lambda context, _extension: FrameDraft(context, self.extension, self.writer, _batches)
        }

    def _write_batches(self, batches: pa.RecordBatchReader, file: IO[bytes]) -> int:
        rows, writer = 0, self.writer(batches.schema, file)
        for batch in batches:
            writer.write_batch(batch)
            rows += len(batch)
        writer.close()
        return rows

    def open(self, reference: Mapping[str, Any], store: Store) -> FrameRef:
        """A reference that reads when it is asked to."""
        rows, columns = reference["shape"]
        return FrameRef(
            store,
            reference["path"],
            self.format,
            {str(name): str(kind) for name, kind in reference["columns"]},
            (rows, columns),
            reference.get("size"),
            reference.get("checksum"),
        )

    def arrow_column(self, column: pa.Array, context: ColumnContext) -> pa.Array:
        """The references as structs of store, path, shape, size and checksum."""
        del context
        return reference_column(column)


def _batches(value: Any) -> pa.RecordBatchReader:
    reader = _reader(value)
    if len(set(reader.schema.names)) < len(reader.schema.names):
        raise ValueError(f"columns of a frame have names of their own, not {reader.schema.names}")
    return reader


def _reader(value: Any) -> pa.RecordBatchReader:
    if _is_lazy(value):
        return _reader(value.collect(engine="streaming"))
    if isinstance(value, pa.RecordBatch):
        return pa.Table.from_batches([value]).to_reader()
    match _library(value):
        case "polars":
            if "Object" in map(str, value.dtypes):
                raise TypeError("a file cannot hold a column of Python objects")
            return value.to_arrow().to_reader()
        case "pandas":
            return pa.Table.from_pandas(value).to_reader()  # which keeps the index
        case _:
            return pa.RecordBatchReader.from_stream(value)


def _is_lazy(value: Any) -> bool:
    return _library(value) == "polars" and type(value).__name__ == "LazyFrame"


def _library(value: Any) -> str:
    # Looking at the name, so that no library is imported for a value of another one.
    return type(value).__module__.partition(".")[0]
