"""The columns of a table as an archive keeps them: all of them, in the form in which they are stored."""

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote

import pyarrow as pa

from djflow.engine.execute import schema_of
from djflow.errors import QueryError
from djflow.model.names import TableName
from djflow.model.table import Attribute, Heading, Table
from djflow.model.types import NativeType, StoredType
from djflow.planner.nodes import Node, Restrict, Scan, SemiJoin

# Values that PostgreSQL reads from text, whatever they are.
_TEXT: Final = NativeType("unknown")


@dataclass(frozen=True, slots=True)
class StoredTable(Table):
    """A table whose hidden columns are seen, too."""

    @property
    def heading(self) -> Heading:
        """All columns, key first."""
        return Heading.of(self.columns)


def stored(table: Table, name: TableName | None = None) -> StoredTable:
    """The table with all of its columns in the types in which an archive keeps them.

    `name` is where its rows are instead of in the table itself.

    >>> from djflow.model.types import CoreType
    >>> columns = (Attribute("_key", CoreType("int32"), CoreType("int32"), in_key=True),)
    >>> stored(Table(TableName("lab", "subject"), "", columns)).heading.names
    ('_key',)
    """
    columns = tuple(replace(column, stored=_kept_as(column)) for column in table.columns)
    return StoredTable(name or table.name, table.comment, columns, table.foreign_keys, table.indexes)


def arrow_schema(table: Table) -> pa.Schema:
    """The schema of a table's file; each field tells the type as declared and the type in PostgreSQL."""
    heading = stored(table).heading
    types = {
        column.name: {"type": str(column.type), "stored": str(column.stored)} for column in table.columns
    }
    fields = [field.with_metadata(types[field.name]) for field in schema_of(heading)]
    return pa.schema(fields, {"schema": table.name.schema, "table": table.name.table})


def all_columns(plan: Node, table: Table) -> Node:
    """The rows of a table that a plan selects, with all that the table stores of them."""
    within = _within(plan, table)
    if within is not None:
        return within
    if not table.is_keyed:
        raise QueryError(f"{table.name} has no primary key by which an archive could find the chosen rows.")
    return SemiJoin(Scan(stored(table)), plan, table.heading.primary_key)


def file_name(table: TableName) -> str:
    """Where an archive keeps the rows of a table.

    >>> file_name(TableName("lab", "#species")), file_name(TableName("my/lab", "x"))
    ('tables/lab/#species.parquet', 'tables/my%2Flab/x.parquet')
    """
    schema, name = (quote(part, safe="#~ ").replace(".", "%2E") for part in (table.schema, table.table))
    return f"tables/{schema}/{name}.parquet"


def _kept_as(column: Attribute) -> StoredType:
    # A duration in Arrow has no months: an interval's text tells what it is.
    if isinstance(column.stored, NativeType) and column.stored.sql.startswith("interval"):
        return _TEXT
    return column.stored


def _within(plan: Node, table: Table) -> Node | None:
    """The plan over all columns, where it does no more than to leave out rows."""
    match plan:
        case Scan(scanned) if scanned.name == table.name:
            return Scan(stored(table))
        case Restrict(source) | SemiJoin(source):
            within = _within(source, table)
            return None if within is None else replace(plan, source=within)
        case _:
            return None
