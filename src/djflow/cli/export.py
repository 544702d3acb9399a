"""Rows of a query as a file, batch by batch: memory stays small, however many there are."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from djflow.errors import DjflowError, InvalidArgumentError

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from djflow.relation.relation import Relation


def export(relation: "Relation", form: str, output: Path | None) -> None:
    """Write all rows as `form` to a file, or to stdout.

    A file appears when it is whole, and replaces one that is there. Values of codecs are written as they are
    stored. Raises `InvalidArgumentError` for Parquet on a terminal, `DjflowError` for a file that cannot be
    written.
    """
    write = _WRITERS[form]
    if output is None:
        if form == "parquet" and sys.stdout.isatty():
            raise InvalidArgumentError("Parquet is nothing to read on a terminal.").suggest(
                "Write it to a file with --output, or send it on with > or |."
            )
        sys.stdout.flush()
        write(relation.to_batches(), sys.stdout.buffer)
        return
    if output.is_dir():
        raise InvalidArgumentError(f"{output} is a folder: name a file in it.")
    from djflow.storage.files import replacing

    reader = relation.to_batches()
    try:
        with replacing(output) as sink:
            write(reader, sink)
    except OSError as error:
        raise DjflowError(f"{output} cannot be written: {error.strerror or error}.") from error


def _parquet(reader: "pa.RecordBatchReader", sink: BinaryIO) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)


def _csv(reader: "pa.RecordBatchReader", sink: BinaryIO) -> None:
    sink.writelines(
        _flat(frame).write_csv(include_header=number == 0).encode()
        for number, frame in enumerate(_texts(reader))
    )


def _jsonl(reader: "pa.RecordBatchReader", sink: BinaryIO) -> None:
    sink.writelines(frame.write_ndjson().encode() for frame in _texts(reader))


def _json(reader: "pa.RecordBatchReader", sink: BinaryIO) -> None:
    before = b"[\n"
    for frame in _texts(reader):
        if frame.height:
            sink.write(before + frame.write_ndjson().rstrip("\n").replace("\n", ",\n").encode())
            before = b",\n"
    sink.write(b"\n]\n" if before == b",\n" else b"[]\n")


def _texts(reader: "pa.RecordBatchReader") -> "Iterator[pl.DataFrame]":
    """The batches as frames; what neither CSV nor JSON has is text: see `_as_text`."""
    import polars as pl

    for batch in reader:
        frame = pl.DataFrame(batch)
        yield frame.with_columns(_as_text(pl.col(name), kind) for name, kind in frame.schema.items())


def _as_text(column: "pl.Expr", kind: "pl.DataType") -> "pl.Expr":
    """Bytes in base64, decimals exactly, times by ISO 8601, lists as JSON."""
    import polars as pl

    match kind:
        case pl.Binary():
            return column.bin.encode("base64")
        case pl.Decimal():
            return column.cast(pl.String)
        case pl.Datetime() | pl.Duration():
            return column.dt.to_string("iso:strict")
        case _:
            return column


def _flat(frame: "pl.DataFrame") -> "pl.DataFrame":
    """A frame whose lists are JSON texts, as CSV needs them."""
    import polars as pl

    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List | pl.Array)]
    return frame.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(len('{"v":')).str.head(-1))
        .alias(name)
        for name in lists
    )


_WRITERS: Final[dict[str, Callable[["pa.RecordBatchReader", BinaryIO], None]]] = {
    "csv": _csv,
    "json": _json,
    "jsonl": _jsonl,
    "parquet": _parquet,
}
