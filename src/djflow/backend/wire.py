"""Arrow batches to the stream that PostgreSQL's COPY reads.

The binary format wherever the types have one that is known here, else CSV, in which PostgreSQL
parses every type from its text.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from djflow.model.table import Attribute
from djflow.model.types import CoreType, NativeType, StoredType, arrow_type

if TYPE_CHECKING:
    import psycopg

CopyFormat: TypeAlias = Literal["binary", "csv"]

# Types in Arrow's text whose bytes on the wire are that text, or made from it here.
_BINARY_TEXT: Final = frozenset({"text", "character varying", "character", "json", "jsonb", "uuid"})
# Elements of arrays carry the number of their type, so that fewer can pass for each other.
_BINARY_ELEMENTS: Final = frozenset({"text", "jsonb"})
_NIBBLE: Final = np.zeros(256, np.uint8)
_NIBBLE[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def copy_format(attributes: Iterable[Attribute]) -> CopyFormat:
    """The FORMAT that the COPY statement for these columns must name.

    >>> int32, inet = CoreType("int32"), NativeType("inet")
    >>> copy_format([Attribute("x", int32, int32)]), copy_format([Attribute("y", inet, inet)])
    ('binary', 'csv')
    """
    return "binary" if all(_is_binary(attribute.stored) for attribute in attributes) else "csv"


def _is_binary(stored: StoredType) -> bool:
    types, arrow = pa.types, arrow_type(stored)
    if types.is_decimal(arrow):
        return bool(types.is_decimal128(arrow))
    match stored:
        case NativeType(sql) if types.is_list(arrow):
            return _is_binary_element(NativeType(sql.removesuffix("[]")))
        case NativeType(sql) if types.is_string(arrow):
            return sql.partition("(")[0] in _BINARY_TEXT
        case _:
            return True


def _is_binary_element(stored: NativeType) -> bool:
    arrow = arrow_type(stored)
    if pa.types.is_string(arrow):
        return stored.sql in _BINARY_ELEMENTS
    zoned = pa.types.is_timestamp(arrow) and arrow.tz is not None
    return not (zoned or pa.types.is_list(arrow)) and _is_binary(stored)


def encode_copy(batches: Iterable[pa.RecordBatch], attributes: Sequence[Attribute]) -> Iterator[bytes]:
    """The payload of a COPY in the format of `copy_format(attributes)`, one piece a batch.

    `attributes` are the columns of every batch, in order; each column has exactly the Arrow type of
    its attribute.
    """
    if copy_format(attributes) == "binary":
        return _encode_binary(batches, attributes)
    return _encode_csv(batches, attributes)


def copy_rows(cursor: "psycopg.Cursor[Any]", statement: Any, payload: Iterable[bytes]) -> int:
    """Run a `COPY ... FROM STDIN` with a payload; returns how many rows went in.

    `statement` is whatever psycopg executes; its FORMAT must be the payload's.
    """
    with cursor.copy(statement) as copy:
        for piece in payload:
            copy.write(piece)
    return cursor.rowcount


def _encode_binary(batches: Iterable[pa.RecordBatch], attributes: Sequence[Attribute]) -> Iterator[bytes]:
    from pgpq import ArrowToPostgresBinaryEncoder

    schema = pa.schema([pa.field(a.name, _wire_type(a.stored)) for a in attributes])
    builders = {a.name: _builder(schema.field(a.name), a.stored) for a in attributes}
    encoder = ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)
    yield encoder.write_header()
    for batch in batches:
        columns = [
            _wire_column(column, a.stored) for column, a in zip(batch.columns, attributes, strict=True)
        ]
        yield encoder.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
    yield encoder.finish()


def _builder(field: pa.Field, stored: StoredType) -> Any:
    from pgpq import ArrowToPostgresBinaryEncoder, encoders, schema

    match stored:
        case CoreType("json") | NativeType("jsonb"):
            return encoders.StringEncoderBuilder.new_with_output(field, schema.Jsonb())
        case NativeType("jsonb[]"):
            element = encoders.StringEncoderBuilder.new_with_output(field.type.value_field, schema.Jsonb())
            return encoders.ListEncoderBuilder.new_with_inner(field, element)
        case _:
            return ArrowToPostgresBinaryEncoder.infer_encoder(field)


def _wire_type(stored: StoredType) -> pa.DataType:
    return pa.binary(16) if _is_uuid(stored) else arrow_type(stored)


def _is_uuid(stored: StoredType) -> bool:
    return stored in (CoreType("uuid"), NativeType("uuid"))


def _wire_column(column: pa.Array, stored: StoredType) -> pa.Array:
    return _uuid_bytes(column) if _is_uuid(stored) else column


def _uuid_bytes(text: pa.Array) -> pa.Array:
    """Canonical text of UUIDs as their 16 bytes."""
    bare = pc.replace_substring(pc.fill_null(text, "0" * 32), "-", "")
    digits = _NIBBLE[np.frombuffer(bare.buffers()[2], np.uint8)[: len(text) * 32]].reshape(-1, 2)
    packed = (digits[:, 0] << 4 | digits[:, 1]).tobytes()
    array = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(text), [None, pa.py_buffer(packed)])
    return pc.if_else(text.is_valid(), array, pa.scalar(None, pa.binary(16))) if text.null_count else array


def _encode_csv(batches: Iterable[pa.RecordBatch], attributes: Sequence[Attribute]) -> Iterator[bytes]:
    from pyarrow import csv

    names = [a.name for a in attributes]
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    for batch in batches:
        sink = pa.BufferOutputStream()
        texts = pa.RecordBatch.from_arrays([_as_text(column) for column in batch.columns], names=names)
        csv.write_csv(texts, sink, options)
        yield sink.getvalue().to_pybytes()


def _as_text(column: pa.Array) -> pa.Array:
    """Values as PostgreSQL reads them; nulls stay null."""
    types = pa.types
    if types.is_binary(column.type):
        return pc.binary_join_element_wise("\\x", _hex(column), "")
    if types.is_duration(column.type):
        return pc.binary_join_element_wise(column.cast(pa.int64()).cast(pa.string()), "microseconds", " ")
    if types.is_list(column.type):
        return _array_literals(column)
    return column.cast(pa.string())


def _hex(column: pa.Array) -> pa.Array:
    import polars as pl

    series = pl.from_arrow(column)
    assert isinstance(series, pl.Series)  # noqa: S101 - an array, unlike a table, gives a series
    return series.bin.encode("hex").to_arrow().cast(pa.string())


def _array_literals(column: pa.Array) -> pa.Array:
    values = column.flatten()
    texts = _as_text(values)
    if not pa.types.is_list(values.type):
        escaped = pc.replace_substring_regex(texts, r'(["\\])', r"\\\1")
        texts = pc.binary_join_element_wise('"', escaped, '"', "")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pc.fill_null(texts, "NULL"))
    literals = pc.binary_join_element_wise("{", pc.binary_join(lists, ","), "}", "")
    return pc.if_else(column.is_valid(), literals, pa.scalar(None, pa.string()))
