"""What was read for the rows of a table, as a frame."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from djflow.engine.run import resolved
from djflow.ingest.convert import convert
from djflow.model.table import Attribute, Heading
from djflow.pipeline.keys import wanted
from djflow.pipeline.reads.record import has_reads_table
from djflow.planner.lower_sql import lower_insert
from djflow.planner.rewriter import optimise
from djflow.relation.conditions import AndList
from djflow.relation.fetch import polars_frame
from djflow.sql.reads import select_reads

if TYPE_CHECKING:
    import polars as pl

    from djflow.pipeline.tiers import AutoPopulated


def reads_of(table: "AutoPopulated", restrictions: Sequence[Any]) -> "pl.DataFrame":
    """What `make` read for the keys of rows that fulfil all restrictions, as far as that was recorded.

    Columns: the attributes of the key, then `reads`, the names of the tables read, and `outside`, those of
    them that are not upstream or of which rows of other keys were read.
    """
    import polars as pl

    model = table.table_model
    key = [model.heading[name] for name in wanted(table).heading.primary_key]
    rows = _rows(table, restrictions, key)
    columns = [
        convert([row[i] for row in rows], attribute, 0, str(model.name)) for i, attribute in enumerate(key)
    ]
    keys = pa.table(columns, names=[attribute.name for attribute in key])
    frame = polars_frame(keys, Heading(tuple(key)), table.connection) if key else pl.DataFrame()
    found: list[Mapping[str, bool]] = [row[-1] for row in rows]
    texts = pl.List(pl.String)
    return frame.with_columns(
        pl.Series("reads", [sorted(each) for each in found], texts),
        pl.Series("outside", [sorted(name for name in each if not each[name]) for each in found], texts),
    )


def _rows(
    table: "AutoPopulated", restrictions: Sequence[Any], key: Sequence[Attribute]
) -> list[tuple[Any, ...]]:
    """The keys in order; behind the attributes of each, for each table read whether that was allowed."""
    model, database = table.table_model, table.connection
    database.ensure([model])
    session = database.session
    if not has_reads_table(session, model.name.schema):
        return []
    chosen = table.restrict(AndList(restrictions)).proj()
    statement = lower_insert(optimise(resolved(session, chosen.logical_plan)).plan, model.heading.primary_key)

    def within(rows: str) -> str:
        return select_reads(model, key, rows)

    shipped = statement.shipped(session.inline_values, within)
    return session.query_rows(within(statement.sql), statement.parameters, shipped)
