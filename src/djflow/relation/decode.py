"""Stored columns become what users work with: values, handles, frames."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from djflow.model.names import TableName
from djflow.model.table import Attribute, Heading
from djflow.model.types import ENCODED, CodecType, CoreType
from djflow.relation.database import Database
from djflow.storage.codec import ColumnContext, codec_for


def codec_context(attribute: Attribute, database: Database, table: TableName | None = None) -> ColumnContext:
    """The context in which a column of a query's result is decoded."""
    assert isinstance(attribute.type, CodecType)  # noqa: S101 - callers look first
    return ColumnContext(
        table or TableName("", ""),
        attribute.name,
        attribute.type,
        database.open_store,
        download_path=Path(database.settings.download_path).expanduser(),
    )


def python_columns(rows: pa.Table, heading: Heading, database: Database) -> dict[str, list[Any]]:
    """Each column as a list of Python values."""
    return {a.name: python_values(rows.column(a.name), a, database) for a in heading}


def python_values(column: pa.ChunkedArray, attribute: Attribute, database: Database) -> list[Any]:
    """A column as Python values: UUIDs, JSON documents and codec values decoded."""
    match attribute.type:
        case CodecType():
            context = codec_context(attribute, database)
            return codec_for(attribute.type).decode_column(_one_array(column), context)
        case CoreType("uuid"):
            return _each(column, uuid.UUID)
        case CoreType("json"):
            return _each(column, json.loads)
        case _:
            return list(column.to_pylist())


def _each(column: pa.ChunkedArray, decode: Callable[[str], Any]) -> list[Any]:
    return [None if text is None else decode(text) for text in column.to_pylist()]


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):  # over two gigabytes stays in chunks
        combined = pa.concat_arrays([chunk.cast(pa.large_binary()) for chunk in combined.chunks])
    return combined


def arrow_values(rows: pa.Table, heading: Heading, database: Database) -> pa.Table:
    """The rows with codec columns decoded where their values have an Arrow form; others stay encoded.

    These are marked as such, lest they be inserted as values and encoded again.
    """
    found, encoded = arrow_and_encoded(rows, heading, database)
    for attribute in encoded:
        position = found.schema.get_field_index(attribute.name)
        marked = found.schema.field(position).with_metadata({ENCODED: str(attribute.type)})
        found = found.set_column(position, marked, found.column(position))
    return found


def arrow_and_encoded(
    rows: pa.Table, heading: Heading, database: Database
) -> tuple[pa.Table, list[Attribute]]:
    """The rows with codec columns decoded where their values have an Arrow form.

    The attributes whose values have none come too; their columns stay encoded.
    """
    encoded: list[Attribute] = []
    for position, attribute in enumerate(heading):
        if isinstance(attribute.type, CodecType):
            column = _one_array(rows.column(position))
            decoded = codec_for(attribute.type).arrow_column(column, codec_context(attribute, database))
            if decoded is not None:
                _offer_namespace(decoded, database)
                rows = rows.set_column(position, attribute.name, decoded)
            elif column.null_count < len(column):
                encoded.append(attribute)
    return rows, encoded


def _offer_namespace(column: pa.Array, database: Database) -> None:
    """Once there are references, give series of Polars their `.dj`; it finds what this database refers to."""
    from djflow.storage.codecs.references import REFERENCE

    if column.type == REFERENCE:
        from djflow.relation import column_objects, stored_column

        assert stored_column  # noqa: S101 - importing it is what registers the namespace
        column_objects.remember(database)
