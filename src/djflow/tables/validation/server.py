"""What only the server knows of rows: parents, keys and unique values that exist. One query each."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import pyarrow as pa

from djflow.backend.wire import copy_format, encode_copy
from djflow.ingest.inspect import Inspected, Problems
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType, NativeType, arrow_type
from djflow.relation.database import Database
from djflow.sql import check as sql
from djflow.sql.indexes import all_indexes

if TYPE_CHECKING:
    from types import TracebackType

_ROW: Final = Attribute(sql.ROW, NativeType("bigint"), NativeType("bigint"))


@dataclass(slots=True)
class ServerCheck:
    """A temporary table of the rows as far as they could be converted, within one transaction."""

    table: Table
    database: Database
    _open: ExitStack = field(default_factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        self.database.ensure([self.table])
        self._open.enter_context(self.database.session.transaction())
        self.database.session.execute(sql.create_checked(self.table, [a.name for a in self.table.columns]))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: "TracebackType | None",
    ) -> None:
        if error is None:
            self.database.session.execute(sql.drop_checked())
        self._open.__exit__(kind, error, traceback)

    @property
    def _columns(self) -> list[Attribute]:
        return [a for a in self.table.heading if not isinstance(a.type, CodecType)]

    def add(self, inspected: Inspected) -> None:
        """Send the rows of a chunk."""
        rows = inspected.rows
        arrays = [pa.array(range(inspected.first_row, inspected.first_row + rows), pa.int64())]
        for attribute in self._columns:
            column = inspected.columns.get(attribute.name)
            arrays.append(pa.nulls(rows, arrow_type(attribute.stored)) if column is None else column)
        attributes = [_ROW, *self._columns]
        names = [a.name for a in attributes]
        batch = pa.RecordBatch.from_arrays(arrays, names=names)
        statement = sql.copy_checked(names, copy_format(attributes))
        self.database.session.copy(statement, encode_copy([batch], attributes))

    def problems(self) -> Iterator[Problems]:
        """Keys that exist, foreign keys without a parent, values that must be unique and are not."""
        self.database.session.execute(sql.analyze_checked())
        key = self.table.heading.primary_key
        yield from self._found(
            sql.select_existing(self.table), key, "the table has a row with this key already"
        )
        for foreign_key in self.table.foreign_keys:
            yield from self._found(
                sql.select_orphans(self.table, foreign_key),
                foreign_key.own,
                f"refers to a row of {foreign_key.parent} that does not exist",
            )
        for index in all_indexes(self.table):
            if index.unique and index.items != self.table.primary_key:
                problem = "must be unique, and another row has the same"
                yield from self._found(sql.select_not_unique(self.table, index), index.items, problem)

    def _found(self, statement: str, columns: Sequence[str], problem: str) -> Iterator[Problems]:
        found = self.database.session.execute(statement)
        if found:
            rows, values = zip(*found, strict=True)
            yield Problems(", ".join(columns) or None, problem, rows, values)


class NoServerCheck:
    """Asks nobody."""

    def add(self, inspected: Inspected) -> None:
        """Forget the rows."""

    @staticmethod
    def problems() -> tuple[Problems, ...]:
        """None are known."""
        return ()


nothing_checked: Final = NoServerCheck()
