"""Runs compiled plans and restores exact Arrow types, batch by batch."""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from djflow.backend.session import STREAM_BYTES, Session
from djflow.engine.compile import Compiled
from djflow.model.table import Attribute, Heading
from djflow.model.types import arrow_type
from djflow.planner.carry import carried_type
from djflow.planner.lower_sql import Statement, lower_count, lower_exists
from djflow.planner.nodes import Node
from djflow.planner.questions import counted, whether_any
from djflow.planner.rewriter import optimise
from djflow.planner.settings import Settled, plan_settings


def schema_of(heading: Heading) -> pa.Schema:
    """The exact Arrow schema of a relation, codec columns in their stored form."""
    return pa.schema([pa.field(a.name, arrow_type(a.stored), nullable=a.nullable) for a in heading])


def stream(
    session: Session, compiled: Compiled, *, streaming: bool = False, snapshot: str | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of a plan as record batches of `schema_of(heading)`, at least one batch.

    `snapshot` names the view of the database to read; by default it is that of the transaction of this
    thread, or the database as it is when the first batch is taken.
    """
    statement = compiled.statement
    batch_bytes = STREAM_BYTES if streaming else None
    if snapshot is None and session.in_transaction and not compiled.is_small:
        carried = _inside(session, statement, batch_bytes)
    elif snapshot is None and compiled.is_small:
        carried = session.pinned(_small(session, statement))
    else:
        carried = _streamed(session, statement, batch_bytes, snapshot)
    return _exactly(carried, statement.heading)


def _exactly(carried: Iterator[pa.RecordBatch], heading: Heading) -> Iterator[pa.RecordBatch]:
    schema = schema_of(heading)
    for batch in carried:
        yield _exact(batch, heading, schema)


def _carried_schema(heading: Heading) -> pa.Schema:
    fields = [pa.field(a.name, carried_type(a.stored)) for a in heading]
    # Rows without attributes still count: SELECT has one column all the same.
    return pa.schema(fields or [pa.field("_row", pa.bool_())])


def _small(session: Session, statement: Statement) -> Iterator[pa.RecordBatch]:
    shipped = statement.shipped(session.inline_values)
    schema = _carried_schema(statement.heading)
    yield from session.read_small(statement.sql, statement.parameters, schema, shipped)


def _inside(session: Session, statement: Statement, batch_bytes: int | None) -> Iterator[pa.RecordBatch]:
    settled, shipped = _settled(session, statement)
    schema = _carried_schema(statement.heading)
    return session.read_inside(settled, schema, shipped, batch_bytes=batch_bytes)


def _streamed(
    session: Session, statement: Statement, batch_bytes: int | None, snapshot: str | None
) -> Iterator[pa.RecordBatch]:
    settled, shipped = _settled(session, statement)
    return session.read_stream(settled, shipped, batch_bytes=batch_bytes, snapshot=snapshot)


def _settled(session: Session, statement: Statement) -> tuple[Settled, Settled | None]:
    shipped = statement.shipped(session.inline_values)
    return plan_settings(statement.sql, statement.parameters), (
        None if shipped is None else plan_settings(shipped.sql, shipped.parameters, shipped.tables)
    )


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
    return int(_answer(session, lower_count(optimise(counted(plan)).plan))[0][0])


def exists(session: Session, plan: Node) -> bool:
    """Whether a plan has any row."""
    return bool(_answer(session, lower_exists(optimise(whether_any(plan)).plan))[0][0])


def analysed(session: Session, statement: Statement) -> str:
    """PostgreSQL's own plan of a statement, run with times."""
    return "\n".join(row[0] for row in _answer(session, statement, "EXPLAIN (ANALYZE, BUFFERS) {}".format))


def write(session: Session, statement: Statement, within: Callable[[str], str]) -> int:
    """Run the statement that `within` makes around another one, such as INSERT; the rows affected."""
    shipped = statement.shipped(session.inline_values, within)
    return session.write(within(statement.sql), statement.parameters, shipped)


def _answer(
    session: Session, statement: Statement, within: Callable[[str], str] = str
) -> list[tuple[Any, ...]]:
    shipped = statement.shipped(session.inline_values, within)
    return session.query_rows(within(statement.sql), statement.parameters, shipped)
