"""Rows into a table: any source becomes exact Arrow batches and goes in by binary COPY."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby
from numbers import Integral
from threading import get_ident
from typing import Any, Final

import pyarrow as pa

from djflow.backend.wire import copy_format, encode_copy
from djflow.engine import execute
from djflow.engine.run import resolved
from djflow.errors import (
    DataTypeError,
    DjflowError,
    InvalidArgumentError,
    MissingAttributeError,
    UnknownAttributeError,
    did_you_mean,
)
from djflow.ingest.conform import Encode
from djflow.ingest.prepare import prepare, prepare_runs
from djflow.model.names import TableName
from djflow.model.table import Attribute, Table, is_recoded
from djflow.model.types import CodecType
from djflow.planner.lower_sql import lower_insert
from djflow.planner.rewriter import optimise
from djflow.relation.conditions import HasPlan
from djflow.relation.database import Database
from djflow.sql import rows as sql
from djflow.sql.staging import copy_into_staging, select_into_staging
from djflow.storage.codec import ColumnContext, codec_for
from djflow.tables import held as held_rows
from djflow.tables.held import HeldRows
from djflow.tables.objects import journal
from djflow.tables.staging import merge, other_unique_keys, stage, unstage

OnConflict = sql.OnConflict


@dataclass(frozen=True, slots=True)
class InsertOptions:
    """How an insert treats keys that exist, unknown fields, and how much commits at once."""

    on_conflict: OnConflict = OnConflict.ERROR
    ignore_extra_fields: bool = False
    chunk_size: int | None = None

    def __post_init__(self) -> None:
        size = self.chunk_size
        if size is not None and (not isinstance(size, Integral) or size < 1):
            raise InvalidArgumentError(f"chunk_size is a number of rows, one or more, not {size!r}.")


def on_conflict(policy: str | None, *, replace: bool, skip_duplicates: bool) -> OnConflict:
    """The one policy that an argument and two documented flags mean.

    >>> on_conflict(None, replace=False, skip_duplicates=True)
    <OnConflict.SKIP: 'skip'>

    Raises `InvalidArgumentError` for a policy that does not exist, `DjflowError` for two that differ.
    """
    asked = {
        "replace=True": OnConflict.UPDATE if replace else None,
        "skip_duplicates=True": OnConflict.SKIP if skip_duplicates else None,
        f"on_conflict={policy!r}": None if policy is None else _named(policy),
    }
    meant = {name: chosen for name, chosen in asked.items() if chosen is not None}
    if len(set(meant.values())) > 1:
        raise DjflowError(f"Choose one of {' and '.join(meant)}: they contradict each other.")
    return next(iter(meant.values()), OnConflict.ERROR)


def check_has_key(table: Table, policy: OnConflict) -> None:
    """Raise `InvalidArgumentError` for a policy on keys where there are none."""
    if policy is not OnConflict.ERROR and not table.primary_key:
        raise InvalidArgumentError(
            f"{table.name} has no primary key, so no row of it exists already: insert without "
            f"{policy.value!r} for those that do."
        )


def _named(policy: object) -> OnConflict:
    names = [known.value for known in OnConflict]
    if isinstance(policy, str) and policy in names:
        return OnConflict(policy)
    raise InvalidArgumentError(
        f"on_conflict is one of {', '.join(map(repr, names))}, not {policy!r}."
        f"{did_you_mean(policy, names) if isinstance(policy, str) else ''}"
    )


# who may insert

# The tables being made, each with the thread and the process that make it: a context may be copied into
# another thread, or a forked child, whose inserts would not belong to what the `make` commits.
_making: Final[ContextVar[frozenset[tuple[TableName, int, int]]]] = ContextVar(
    "djflow_making", default=frozenset()
)


@contextmanager
def making(name: TableName) -> Iterator[None]:
    """While a `make` of this table runs, it and its parts accept inserts."""
    token = _making.set(_making.get() | {(name, get_ident(), os.getpid())})
    try:
        yield
    finally:
        _making.reset(token)


def is_making(name: TableName) -> bool:
    """Whether this thread is within a `make` of a table."""
    return (name, get_ident(), os.getpid()) in _making.get()


def check_permitted(table: Table, *, allow_direct_insert: bool) -> None:
    """Raise `DjflowError` for an insert into an auto-populated table from outside its `make`."""
    owner = table.name.master or table.name
    if allow_direct_insert or not owner.tier.is_auto_populated or is_making(owner):
        return
    raise DjflowError(
        f"{table.name} is filled by make(): call populate(). "
        "To insert by hand all the same, pass allow_direct_insert=True."
    )


# inserting


def insert(table: Table, source: Any, database: Database, options: InsertOptions) -> None:
    """Insert all rows of a source."""
    check_has_key(table, options.on_conflict)
    held = held_rows.current()
    if held is not None and held.can_hold(table, source, database):
        batches = prepare(
            source, table, ignore_extra_fields=options.ignore_extra_fields, encode=encoder(table, database)
        )
        left = held.hold(table, source, options.on_conflict, batches)
        if left is not None:
            insert_batches(table, held.counting(left), database, options.on_conflict)
        return
    if isinstance(source, HasPlan):
        _insert_query(table, source, database, options)
        return
    for run in _runs(table, source, database, options):
        insert_batches(table, run if held is None else held.counting(run), database, options.on_conflict)


def _runs(
    table: Table, source: Any, database: Database, options: InsertOptions
) -> Iterable[Iterator[pa.RecordBatch]]:
    """The batches of a source, apart by what commits together; converted when asked for."""
    encode, extra = encoder(table, database), options.ignore_extra_fields
    if options.chunk_size is None:
        return [prepare(source, table, ignore_extra_fields=extra, encode=encode)]
    return prepare_runs(source, table, options.chunk_size, ignore_extra_fields=extra, encode=encode)


def encoder(table: Table, database: Database) -> Encode:
    """What encodes a table's codec columns, in the transaction that inserts their rows.

    Objects are recorded before they are written, and removed if the transaction rolls back.
    """

    def own(store: str, paths: Sequence[str]) -> None:
        journal.record_owned(database, table.name.schema, store, paths)

    def share(store: str, paths: Sequence[str]) -> Sequence[str]:
        return journal.record_shared(database, table.name.schema, store, paths)

    def encode(
        attribute: Attribute, values: Any, first_row: int, key_rows: Sequence[Mapping[str, Any]]
    ) -> pa.Array:
        del first_row
        assert isinstance(attribute.type, CodecType)  # noqa: S101 - conform encodes codec columns only
        kind = attribute.type
        context = ColumnContext(
            table.name,
            attribute.name,
            kind,
            database.open_store,
            key_rows,
            record=lambda store, path: own(store, [path]),
            record_all=own,
            share=share,
        )
        return codec_for(kind).encode_column(values, context)

    return encode


def write_held(held: Iterable[HeldRows], database: Database) -> None:
    """Write what calls of a `make` hold, inside the transaction that completes them."""
    for each in held_rows.writables(held):
        insert_batches(each.table, iter(each.batches), database, each.policy)


def insert_batches(
    table: Table, batches: Iterator[pa.RecordBatch], database: Database, policy: OnConflict
) -> None:
    """Insert all rows of some batches in one transaction."""
    if any(key.parent == table.name for key in table.foreign_keys):
        # Rows may refer to later ones, and the server looks when a statement ends.
        batches = _as_one(list(batches))
    with database.session.transaction():
        # A COPY for each batch: between them the source may itself use the connection.
        for batch in batches:
            _insert_batch(table, batch, database, policy)


def _as_one(batches: list[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for _, alike in groupby(batches, key=lambda batch: batch.schema):
        yield pa.concat_batches(list(alike))


def _insert_batch(table: Table, batch: pa.RecordBatch, database: Database, policy: OnConflict) -> None:
    names = tuple(batch.schema.names)
    attributes = [_column(table, name) for name in names]
    payload, form = encode_copy([batch], attributes), copy_format(attributes)
    session = database.session
    if policy is OnConflict.ERROR:
        session.copy(sql.copy_into(table.name, names, form), payload)
        return
    stage(session, table)
    session.copy(copy_into_staging(table, names, form), payload)
    merge(table, names, database, policy)
    unstage(session, table, batch.num_rows)


def _column(table: Table, name: str) -> Attribute:
    return next(a for a in table.columns if a.name == name)


def _insert_query(table: Table, source: HasPlan, database: Database, options: InsertOptions) -> None:
    plan, policy = source.logical_plan, options.on_conflict
    names = _query_columns(table, plan.heading.names, options)
    for name in names:
        _check_codec(table, plan.heading[name])
    database.before_query(plan)
    session = database.session
    with session.transaction():
        statement = lower_insert(optimise(resolved(session, plan)).plan, names)
        if policy in (OnConflict.ERROR, OnConflict.SKIP):
            with other_unique_keys(table, policy):
                execute.write(session, statement, lambda rows: sql.insert_select(table, names, rows, policy))
            return
        stage(session, table)
        number = execute.write(session, statement, lambda rows: select_into_staging(table, names, rows))
        merge(table, names, database, policy)
        unstage(session, table, number)


def _query_columns(table: Table, given: tuple[str, ...], options: InsertOptions) -> tuple[str, ...]:
    known = table.heading
    for name in given:
        if name not in known and not options.ignore_extra_fields:
            raise UnknownAttributeError(name, known.names, context=str(table.name))
    for attribute in known:
        if attribute.is_required and attribute.name not in given:
            raise MissingAttributeError(attribute.name, table=str(table.name))
    return tuple(name for name in given if name in known)


def _check_codec(table: Table, given: Attribute) -> None:
    """Raise `DataTypeError` where a query gives what the table's attribute of that name cannot read."""
    own = table.heading[given.name]
    if is_recoded(given, own):
        raise DataTypeError(
            f"a query gives what is stored for {given.type}, which {own.type} cannot read; "
            "fetch the values and insert these",
            column=given.name,
            expected=str(own.type),
            value=str(given.type),
            table=str(table.name),
        )
