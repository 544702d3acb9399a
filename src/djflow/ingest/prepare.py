"""The one path from a source to batches ready for COPY."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa

from djflow.errors import InvalidRowsError
from djflow.ingest.chunk import Chunk, cut
from djflow.ingest.conform import Encode, conform
from djflow.ingest.sources import read_source
from djflow.model.table import Attribute, Table


def refuse_codecs(
    attribute: Attribute, values: Sequence[Any], first_row: int, keys: Sequence[Mapping[str, Any]]
) -> pa.Array:
    """The encoder of whoever has none."""
    del values, first_row, keys
    raise InvalidRowsError(
        f"Attribute {attribute.name!r} needs the codec {attribute.type}, and none was given."
    )


def prepare(
    source: Any, table: Table, *, ignore_extra_fields: bool = False, encode: Encode = refuse_codecs
) -> Iterator[pa.RecordBatch]:
    """Record batches in a table's exact types, made one chunk at a time while the source is read.

    See `read_source` for what a source may be and `conform` for what is checked.

    >>> from djflow.model.names import TableName
    >>> from djflow.model.types import CoreType
    >>> int16 = CoreType("int16")
    >>> table = Table(TableName("lab", "rat"), "", (Attribute("rat", int16, int16, in_key=True),))
    >>> [batch.to_pydict() for batch in prepare([{"rat": 7}, {"rat": 8}], table)]
    [{'rat': [7, 8]}]
    """
    chunks = read_source(source, table.heading)
    return _conformed(chunks, table, ignore_extra_fields=ignore_extra_fields, encode=encode)


def prepare_runs(
    source: Any, table: Table, rows: int, *, ignore_extra_fields: bool = False, encode: Encode = refuse_codecs
) -> Iterator[Iterator[pa.RecordBatch]]:
    """The batches of `prepare`, apart by runs of `rows` rows; a run is converted while it is iterated over.

    >>> from djflow.model.names import TableName
    >>> from djflow.model.types import CoreType
    >>> int16 = CoreType("int16")
    >>> table = Table(TableName("lab", "rat"), "", (Attribute("rat", int16, int16, in_key=True),))
    >>> [[batch.to_pydict() for batch in run] for run in prepare_runs([(7,), (8,), (9,)], table, 2)]
    [[{'rat': [7, 8]}], [{'rat': [9]}]]
    """
    pieces = (piece for chunk in read_source(source, table.heading) for piece in cut(chunk, rows))
    for _, run in groupby(pieces, key=lambda piece: piece.first_row // rows):
        yield _conformed(run, table, ignore_extra_fields=ignore_extra_fields, encode=encode)


def _conformed(
    chunks: Iterable[Chunk], table: Table, *, ignore_extra_fields: bool, encode: Encode
) -> Iterator[pa.RecordBatch]:
    for chunk in chunks:
        yield from conform(chunk, table, ignore_extra_fields=ignore_extra_fields, encode=encode)
