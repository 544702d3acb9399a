"""Rows out of the database, in every form that people ask for; all fed by the same record batches."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from djflow.engine import run
from djflow.engine.execute import schema_of
from djflow.engine.order import by_key
from djflow.errors import UnknownAttributeError
from djflow.model.table import Heading
from djflow.planner import analyze
from djflow.planner.nodes import Node, is_ordered
from djflow.relation.database import Database
from djflow.relation.decode import arrow_and_encoded, arrow_values, python_columns, python_values

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import polars as pl


def stored_rows(plan: Node, database: Database) -> pa.Table:
    """All rows in exact types, codec columns encoded; by primary key unless the plan orders otherwise."""
    database.before_query(plan)
    return arranged(run.whole(database.session, plan), plan)


def arranged(source: Iterable[pa.RecordBatch], plan: Node) -> pa.Table:
    """The batches of a plan as one table; by primary key unless the plan orders otherwise."""
    batches = list(source)
    if not len(plan.heading):
        return pa.Table.from_batches(batches)
    rows = pa.Table.from_batches(batches, schema_of(plan.heading))
    return rows if is_ordered(plan) else by_key(rows, plan.heading.primary_key)


def to_arrow(plan: Node, database: Database) -> pa.Table:
    """One Arrow table, codec columns as tensors, lists or references where their values allow."""
    return arrow_values(stored_rows(plan, database), plan.heading, database)


def to_polars(plan: Node, database: Database) -> "pl.DataFrame":
    """One Polars frame; values without an Arrow form come as Python objects."""
    return polars_frame(stored_rows(plan, database), plan.heading, database)


def polars_frame(stored: pa.Table, heading: Heading, database: Database) -> "pl.DataFrame":
    """Stored rows as a Polars frame, decoded; values without an Arrow form come as Python objects."""
    import polars as pl

    rows, opaque = arrow_and_encoded(stored, heading, database)
    tensors = {f.name: f.type for f in rows.schema if isinstance(f.type, pa.FixedShapeTensorType)}
    plain = rows.drop_columns([a.name for a in opaque] + list(tensors))
    frame = pl.from_arrow(plain) if plain.num_columns else pl.DataFrame()
    assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table, not an array, went in
    extra = [
        pl.Series(a.name, python_values(rows.column(a.name), a, database), dtype=pl.Object) for a in opaque
    ]
    extra += [_array_series(name, rows.column(name)) for name in tensors]
    return pl.DataFrame([*frame.get_columns(), *extra]).select(rows.column_names) if extra else frame


def _array_series(name: str, column: pa.ChunkedArray) -> "pl.Series":
    import polars as pl

    tensor = column.combine_chunks()
    tensor = tensor.chunk(0) if isinstance(tensor, pa.ChunkedArray) else tensor
    flat = pl.from_arrow(tensor.storage)
    assert isinstance(flat, pl.Series)  # noqa: S101 - an array went in
    return flat.reshape((len(flat), *tensor.type.shape)).alias(name)


def to_pandas(plan: Node, database: Database) -> "pd.DataFrame":
    """One pandas frame, the primary key as its index."""
    return pandas_frame(stored_rows(plan, database), plan.heading, database)


def pandas_frame(rows: pa.Table, heading: Heading, database: Database) -> "pd.DataFrame":
    """Stored rows as a pandas frame, decoded, the primary key as its index."""
    import pandas as pd

    encoded = {a.name for a in heading if a.type != a.stored or str(a.type) in ("json", "uuid")}
    frame = rows.drop_columns(list(encoded)).to_pandas()
    for attribute in heading:
        if attribute.name in encoded:
            values = python_values(rows.column(attribute.name), attribute, database)
            frame[attribute.name] = pd.Series(object_array(values), index=frame.index)
    frame = frame[list(heading.names)]
    key = list(heading.primary_key)
    return frame.set_index(key) if key else frame


def to_dicts(plan: Node, database: Database) -> list[dict[str, Any]]:
    """One dict a row."""
    return list(dicts_of(stored_rows(plan, database), plan.heading, database))


def dicts_of(rows: pa.Table, heading: Heading, database: Database) -> Iterator[dict[str, Any]]:
    """The rows of a table as dicts of Python values."""
    if not len(heading):
        return iter([{} for _ in range(rows.num_rows)])
    names = heading.names
    columns = python_columns(rows, heading, database)
    return (dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True))


def to_arrays(plan: Node, database: Database, names: tuple[str, ...]) -> "list[np.ndarray[Any, Any]]":
    """The named columns as numpy arrays, in one order."""
    for name in names:
        if name not in plan.heading:
            raise UnknownAttributeError(name, plan.heading.names, context="to_arrays")
    wanted = dict.fromkeys(name for name in names if name not in plan.heading.primary_key)
    rows = stored_rows(analyze.project(plan, tuple(wanted), {}), database)
    return [numpy_column(rows.column(name), plan.heading, name, database) for name in names]


def numpy_column(
    column: pa.ChunkedArray, heading: Heading, name: str, database: Database
) -> "np.ndarray[Any, Any]":
    """A column as a numpy array: typed where numpy has the type, of objects otherwise."""
    import numpy as np

    attribute = heading[name]
    simple = attribute.type == attribute.stored and not column.null_count
    if simple and (pa.types.is_primitive(column.type) and not pa.types.is_decimal(column.type)):
        return np.asarray(column.to_numpy())
    return object_array(python_values(column, attribute, database))


def object_array(values: list[Any]) -> "np.ndarray[Any, Any]":
    """Values as an array of objects, one by one: as a whole numpy would look inside, and load lazy ones."""
    import numpy as np

    array = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        array[position] = value
    return array


def to_record_array(plan: Node, database: Database) -> "np.ndarray[Any, Any]":
    """All columns as one numpy structured array."""
    import numpy as np

    rows = stored_rows(plan, database)
    columns = {
        name: numpy_column(rows.column(name), plan.heading, name, database) for name in plan.heading.names
    }
    array = np.empty(rows.num_rows, dtype=[(name, column.dtype) for name, column in columns.items()])
    for name, column in columns.items():
        array[name] = column
    return array


def batches(plan: Node, database: Database) -> pa.RecordBatchReader:
    """Rows as a stream of record batches in bounded memory, codec columns encoded."""
    database.before_query(plan)
    ordered = plan if is_ordered(plan) or not plan.heading.primary_key else analyze.top(plan)
    source = run.streamed(database.session, ordered)
    return pa.RecordBatchReader.from_batches(schema_of(plan.heading), source)


def iterate(plan: Node, database: Database) -> Iterator[dict[str, Any]]:
    """Rows as dicts, in bounded memory."""
    for batch in batches(plan, database):
        yield from dicts_of(pa.Table.from_batches([batch]), plan.heading, database)
