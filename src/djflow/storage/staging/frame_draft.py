"""Frames in the making: `staged.frames()`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Final, Protocol, TypeAlias

import pyarrow as pa

from djflow.errors import StorageError
from djflow.storage.codec import ColumnContext
from djflow.storage.staging.draft import Draft, Place
from djflow.storage.staging.growing_file import ObjectFile, writing_to

_GROUP_BYTES: Final = 1 << 24  # how much is gathered before it is written

ReadBatches: TypeAlias = Callable[[Any], Iterable[pa.RecordBatch]]


class FrameWriter(Protocol):
    """What writes batches to a file, as Arrow's writers do."""

    def write_batch(self, batch: pa.RecordBatch, /) -> None:
        """Write all rows of a batch."""
        ...

    def write_table(self, table: pa.Table, /) -> None:
        """Write all rows of a table."""
        ...

    def close(self) -> None:
        """Write what comes last."""
        ...


OpenWriter: TypeAlias = Callable[[pa.Schema, IO[bytes]], FrameWriter]


class FrameAppender:
    """A frame in the making, to which rows of one schema are appended.

    >>> from io import BytesIO
    >>> file = BytesIO()
    >>> open_writer = lambda schema, file: pa.ipc.new_file(file, schema)
    >>> appender = FrameAppender(file, open_writer, lambda frame: frame.to_batches())
    >>> appender.append(pa.table({"x": [1, 2]}))
    >>> appender.append(pa.table({"x": [3]}))
    >>> appender.finish()
    >>> pa.ipc.open_file(file.getvalue()).read_all()["x"].to_pylist()
    [1, 2, 3]
    """

    rows: int

    def __init__(
        self, file: IO[bytes], open_writer: OpenWriter, read: ReadBatches, schema: pa.Schema | None = None
    ) -> None:
        self._file, self._open_writer, self._read = file, open_writer, read
        self._writer: FrameWriter | None = None
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self._is_finished = False
        self.schema = schema
        self.rows = 0

    def append(self, frame: Any) -> None:
        """Add the rows of a frame of Polars, pandas or Arrow.

        Raises `StorageError` for rows that do not fit the schema, `StoreFullError` where there is no room.
        """
        if self._is_finished:
            raise StorageError("The staged frame is complete: the block of its insert has ended.")
        for batch in self._read(frame):
            fitting = self._fitting(batch)
            self._held.append(fitting)
            self._bytes += fitting.nbytes
            self.rows += len(fitting)
            if self._bytes >= _GROUP_BYTES:
                self._write()

    def finish(self) -> None:
        """Write what is left."""
        self._is_finished = True
        self._write()
        with writing_to("the staged frame"):
            assert self._writer is not None  # noqa: S101 - it has just written
            self._writer.close()

    def _fitting(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.schema is None:
            self.schema = batch.schema.remove_metadata()
        with _fitted():
            return batch if batch.schema.equals(self.schema) else batch.cast(self.schema)

    def _write(self) -> None:
        assert self.schema is not None  # noqa: S101 - `FrameDraft` has looked
        table = pa.Table.from_batches(self._held, self.schema)
        with writing_to("the staged frame"), _fitted():
            if self._writer is None:
                self._writer = self._open_writer(self.schema, self._file)
            self._writer.write_table(table)
        self._held, self._bytes = [], 0


@contextmanager
def _fitted() -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, pa.ArrowNotImplementedError) as error:
        raise StorageError(f"These rows do not fit those of the staged frame: {error}.") from error


class FrameDraft(Draft):
    """A file of the row's own with a frame."""

    what = "frames"

    def __init__(
        self, context: ColumnContext, extension: str, open_writer: OpenWriter, read: ReadBatches
    ) -> None:
        self._place = Place.take(context, extension)
        self._file = ObjectFile(self._place.store, self._place.path)
        self._open_writer, self._read = open_writer, read
        self._appender: FrameAppender | None = None

    def writing(self, schema: pa.Schema | None = None) -> FrameAppender:
        """The frame."""
        if self._appender is None:
            file = self._file.file.open("wb")
            self._appender = FrameAppender(file, self._open_writer, self._read, schema)
        return self._appender

    def finish(self) -> str:
        """What the row keeps of the frame."""
        appender = self._appender
        if appender is None or appender.schema is None:
            raise self._place.nothing_written()
        appender.finish()
        size, checksum = self._file.finish()
        described = describe_frame(appender.schema, appender.rows)
        return self._place.reference({**described, "size": size, "checksum": checksum})

    def abandon(self) -> None:
        """Close the file."""
        self._file.abandon()


def describe_frame(schema: pa.Schema, rows: int) -> Mapping[str, Any]:
    """What a row keeps of a frame beside its file's size and checksum.

    >>> describe_frame(pa.schema([("x", pa.int8())]), 2)
    {'shape': [2, 1], 'columns': [['x', 'int8']]}
    """
    return {"shape": [rows, len(schema)], "columns": [[field.name, str(field.type)] for field in schema]}
