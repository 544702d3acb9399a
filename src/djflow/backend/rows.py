"""Small reads over psycopg, which answers a query of a few rows several times sooner than ADBC."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.backend.sqlstate import translate
from djflow.backend.statement import Parameters

if TYPE_CHECKING:
    import psycopg

_CHUNK: Final = 16_384


def run(connection: "psycopg.Connection[Any]", sql: str, parameters: Parameters) -> "psycopg.RawCursor[Any]":
    """Execute a statement with `$1`, `$2`, ... and return its cursor, results in binary form."""
    import psycopg

    cursor = psycopg.RawCursor(connection)
    try:
        return cursor.execute(sql, [_python(parameter.value) for parameter in parameters], binary=True)
    except psycopg.Error as error:
        raise translate(error) from error


def batches(cursor: "psycopg.RawCursor[Any]", schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of a cursor as record batches of a schema, at least one."""
    import psycopg

    empty = True
    try:
        while rows := cursor.fetchmany(_CHUNK):
            empty = False
            yield _batch(rows, schema)
    except psycopg.Error as error:  # a value that Python cannot hold, such as an infinite date
        raise translate(error) from error
    if empty:
        yield pa.RecordBatch.from_pylist([], schema=schema)


def _batch(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True) if len(schema) else ()
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _python(value: Any) -> Any:
    return value.to_pylist() if isinstance(value, pa.Array) else value
