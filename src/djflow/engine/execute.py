"""Runs compiled plans and restores exact Arrow types, batch by batch."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from djflow.backend.session import Session
from djflow.engine.compile import Compiled
from djflow.model.table import Attribute, Heading
from djflow.model.types import arrow_type
from djflow.planner.carry import carried_type
from djflow.planner.lower_sql import Statement, lower_count, lower_exists
from djflow.planner.nodes import Node
from djflow.planner.rewriter import optimise


def schema_of(heading: Heading) -> pa.Schema:
    """The exact Arrow schema of a relation, codec columns in their stored form."""
    return pa.schema([pa.field(a.name, arrow_type(a.stored), nullable=a.nullable) for a in heading])


def stream(session: Session, compiled: Compiled, *, streaming: bool = False) -> Iterator[pa.RecordBatch]:
    """The rows of a plan as record batches of `schema_of(heading)`, at least one batch."""
    statement = compiled.statement
    schema = schema_of(statement.heading)
    for batch in _carried_batches(session, statement, small=compiled.is_small, streaming=streaming):
        yield _exact(batch, statement.heading, schema)


def _carried_batches(
    session: Session, statement: Statement, *, small: bool, streaming: bool
) -> Iterator[pa.RecordBatch]:
    if small or session.in_transaction:
        fields = [pa.field(a.name, carried_type(a.stored)) for a in statement.heading]
        # Rows without attributes still count: SELECT has one column all the same.
        schema = pa.schema(fields or [pa.field("_row", pa.bool_())])
        return session.read_small(statement.sql, statement.parameters, schema)
    return session.read_bulk(statement.sql, statement.parameters, streaming=streaming)


def _exact(batch: pa.RecordBatch, heading: Heading, schema: pa.Schema) -> pa.RecordBatch:
    arrays = [_restored(batch.column(i), attribute) for i, attribute in enumerate(heading)]
    if not arrays:  # no visible attributes: only the number of rows is left
        return pa.RecordBatch.from_struct_array(pa.array([{}] * batch.num_rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _restored(column: pa.Array, attribute: Attribute) -> pa.Array:
    wanted = arrow_type(attribute.stored)
    if column.type == wanted:
        return column
    return pc.cast(column, wanted)


def count(session: Session, plan: Node) -> int:
    """The number of rows of a plan."""
    statement = lower_count(optimise(plan).plan)
    return int(session.query_rows(statement.sql, statement.parameters)[0][0])


def exists(session: Session, plan: Node) -> bool:
    """Whether a plan has any row."""
    statement = lower_exists(optimise(plan).plan)
    return bool(session.query_rows(statement.sql, statement.parameters)[0][0])


def analysed(session: Session, statement: Statement) -> str:
    """PostgreSQL's own plan of a statement, run with times."""
    rows: list[tuple[Any, ...]] = session.query_rows(
        f"EXPLAIN (ANALYZE, BUFFERS) {statement.sql}", statement.parameters
    )
    return "\n".join(row[0] for row in rows)
