"""Rows into a table: any source becomes exact Arrow batches and goes in by binary COPY."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from djflow.backend.session import Session
from djflow.backend.wire import copy_format, encode_copy
from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.errors import DjflowError, MissingAttributeError, StorageError, UnknownAttributeError
from djflow.ingest.prepare import prepare, prepare_runs
from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType
from djflow.planner.lower_sql import lower_insert
from djflow.planner.rewriter import optimise
from djflow.relation.conditions import HasPlan
from djflow.relation.database import Database
from djflow.sql import rows as sql
from djflow.storage.codec import ColumnContext, codec_for

OnDuplicate = sql.OnDuplicate


@dataclass(frozen=True, slots=True)
class InsertOptions:
    """How an insert treats duplicates, unknown fields, and how much commits at once."""

    on_duplicate: OnDuplicate = OnDuplicate.FAIL
    ignore_extra_fields: bool = False
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        if self.chunk_size is not None and self.chunk_size < 1:
            raise DjflowError(f"chunk_size is one row or more, not {self.chunk_size}.")


def on_duplicate(*, replace: bool, skip: bool) -> OnDuplicate:
    """The one policy that two documented flags mean."""
    if replace and skip:
        raise DjflowError("Choose one of replace and skip_duplicates.")
    return OnDuplicate.REPLACE if replace else OnDuplicate.SKIP if skip else OnDuplicate.FAIL


# who may insert

_making: Final[ContextVar[frozenset[TableName]]] = ContextVar("djflow_making", default=frozenset())


@contextmanager
def making(name: TableName) -> Iterator[None]:
    """While a `make` of this table runs, it and its parts accept inserts."""
    token = _making.set(_making.get() | {name})
    try:
        yield
    finally:
        _making.reset(token)


def check_permitted(table: Table, *, allow_direct_insert: bool) -> None:
    """Raise `DjflowError` for an insert into an auto-populated table from outside its `make`."""
    owner = table.name.master or table.name
    if allow_direct_insert or not owner.tier.is_auto_populated or owner in _making.get():
        return
    raise DjflowError(
        f"{table.name} is filled by make(): call populate(). "
        "To insert by hand all the same, pass allow_direct_insert=True."
    )


# inserting


def insert(table: Table, source: Any, database: Database, options: InsertOptions) -> None:
    """Insert all rows of a source."""
    if isinstance(source, HasPlan):
        _insert_query(table, source, database, options)
        return
    for run in _runs(table, source, database, options):
        _insert_batches(table, run, database, options.on_duplicate)


def _runs(
    table: Table, source: Any, database: Database, options: InsertOptions
) -> Iterable[Iterator[pa.RecordBatch]]:
    """The batches of a source, apart by what commits together; converted when asked for."""

    def encode(
        attribute: Attribute, values: Any, first_row: int, key_rows: Sequence[Mapping[str, Any]]
    ) -> pa.Array:
        return _encode(table, database, attribute, values, first_row, key_rows)

    extra = options.ignore_extra_fields
    if options.chunk_size is None:
        return [prepare(source, table, ignore_extra_fields=extra, encode=encode)]
    return prepare_runs(source, table, options.chunk_size, ignore_extra_fields=extra, encode=encode)


def _encode(
    table: Table,
    database: Database,
    attribute: Attribute,
    values: Any,
    first_row: int,
    key_rows: Sequence[Mapping[str, Any]],
) -> pa.Array:
    assert isinstance(attribute.type, CodecType)  # noqa: S101 - conform encodes codec columns only
    del first_row
    codec = codec_for(attribute.type)

    def record(store: str, path: str) -> None:
        database.session.after_rollback(lambda: _remove(database, store, path))

    context = ColumnContext(table.name, attribute.name, attribute.type, database.open_store, key_rows, record)
    return codec.encode_column(values, context)


def _remove(database: Database, store: str, path: str) -> None:
    with suppress(StorageError):  # what cannot be removed now is unreachable and is collected later
        database.open_store(store).remove(path)


def _insert_batches(
    table: Table, batches: Iterator[pa.RecordBatch], database: Database, policy: OnDuplicate
) -> None:
    session = database.session
    with session.transaction():
        # A COPY for each batch: between them the source may itself use the connection.
        for batch in batches:
            _insert_batch(table, batch, session, policy)


def _insert_batch(table: Table, batch: pa.RecordBatch, session: Session, policy: OnDuplicate) -> None:
    names = tuple(batch.schema.names)
    attributes = [_column(table, name) for name in names]
    payload, form = encode_copy([batch], attributes), copy_format(attributes)
    if policy is OnDuplicate.FAIL:
        session.copy(sql.copy_into(table.name, names, form), payload)
    else:
        session.execute(sql.create_staging(table.name))
        session.copy(sql.copy_into_staging(names, form), payload)
        session.execute(sql.merge_staging(table, names, policy))
        session.execute(sql.drop_staging())


def _column(table: Table, name: str) -> Attribute:
    return next(a for a in table.columns if a.name == name)


def _insert_query(table: Table, source: HasPlan, database: Database, options: InsertOptions) -> None:
    plan = source.logical_plan
    names = _query_columns(table, plan.heading.names, options)
    database.ensure(plan.tables)
    session = database.session

    def inserting(select: str) -> str:
        return sql.insert_select(table, names, select, options.on_duplicate)

    with session.transaction():
        statement = lower_insert(optimise(resolved(session, plan)).plan, names)
        execute.write(session, statement, inserting)


def _query_columns(table: Table, given: tuple[str, ...], options: InsertOptions) -> tuple[str, ...]:
    known = table.heading
    for name in given:
        if name not in known and not options.ignore_extra_fields:
            raise UnknownAttributeError(name, known.names, context=str(table.name))
    for attribute in known:
        if attribute.is_required and attribute.name not in given:
            raise MissingAttributeError(attribute.name, table=str(table.name))
    return tuple(name for name in given if name in known)
