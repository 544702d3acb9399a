"""CSV and Parquet files, read as streams."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from djflow.errors import InvalidRowsError
from djflow.ingest.chunk import Chunk, Column, frame_rows
from djflow.ingest.frames import empty_batch, read_batches
from djflow.model.table import Heading
from djflow.model.types import CodecType, arrow_type


def read_file(path: Path, heading: Heading) -> Iterator[Chunk]:
    """Chunks of a `.csv` or `.parquet` file. Raises `InvalidRowsError` for another or a missing one."""
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidRowsError(f"Cannot read rows from {str(path)!r}: the file must end in .csv or .parquet.")
    if not path.is_file():
        raise InvalidRowsError(f"Cannot read rows from {str(path)!r}: there is no such file.")
    return reader(path, heading)


def _read_parquet(path: Path, heading: Heading) -> Iterator[Chunk]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
        batches = file.iter_batches(batch_size=frame_rows(heading))
        yield from read_batches(batches if file.metadata.num_rows else [empty_batch(schema)], heading)


def _read_csv(path: Path, heading: Heading) -> Iterator[Chunk]:
    # Every field is read as text, and converted like any column of text: the table knows the types.
    # As in PostgreSQL, an empty field is null and a quoted empty field is an empty text.
    from pyarrow import csv

    with csv.open_csv(path) as reader:
        names = reader.schema.names
    options = csv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        with csv.open_csv(path, convert_options=options) as reader:
            for chunk in read_batches(reader, heading):
                columns = {name: _field(column, name, heading) for name, column in chunk.columns.items()}
                yield Chunk(columns, chunk.rows, chunk.first_row)
    except pa.ArrowInvalid as error:
        raise InvalidRowsError(f"Cannot read {str(path)!r} as CSV: {error}") from error


def _field(column: Column, name: str, heading: Heading) -> Column:
    """Empty fields of a text that must not be null are empty texts."""
    if name not in heading or not isinstance(column, pa.Array):
        return column
    attribute = heading[name]
    is_text = not isinstance(attribute.type, CodecType) and arrow_type(attribute.stored) == pa.string()
    return column.fill_null("") if is_text and attribute.is_required and not attribute.nullable else column
