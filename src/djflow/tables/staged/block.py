"""The block in which a row and its objects are made: all of it, or no trace."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from djflow.ingest.conform import Encode
from djflow.ingest.prepare import prepare
from djflow.model.table import Attribute, Table
from djflow.relation.database import Database
from djflow.sql.rows import OnConflict
from djflow.storage.staging.draft import Draft
from djflow.tables import write
from djflow.tables.objects import journal
from djflow.tables.staged.hold import holding
from djflow.tables.staged.staged_insert import StagedInsert


@contextmanager
def staged_insert1(table: Table, database: Database) -> Iterator[StagedInsert]:
    """A row that is inserted, with the objects that were written for it, when the block ends.

    Where the block, or the insertion, raises anything, the objects are removed and there is no row.
    """
    write.check_permitted(table, allow_direct_insert=False)
    database.ensure([table])
    schema, owned = table.name.schema, _Owned()
    with holding(database.session) as writer:

        def record(store: str, paths: Sequence[str]) -> None:
            owned.objects.append((store, paths))
            if writer is None:
                journal.record_owned(database, schema, store, paths)
            else:
                journal.record_held(database, schema, store, paths, writer)

        def share(store: str, paths: Sequence[str]) -> Sequence[str]:
            return journal.record_shared(database, schema, store, paths)

        staged = StagedInsert(table, database.open_store, record, share)
        try:
            yield staged
            _insert(table, database, staged, owned)
        except BaseException:
            with ExitStack() as ends:  # each of them, even if another one fails
                if not owned.by_transaction:
                    ends.callback(owned.take_back, database, schema, staged.drafts.values())
                for draft in staged.drafts.values():
                    ends.callback(draft.abandon)
            raise
        finally:
            staged.end()


@dataclass(slots=True)
class _Owned:
    """The objects of the row alone: names of stores, and paths in them.

    Once the transaction of the row has begun, it removes them if it rolls back: nobody else knows whether it
    does. Before, the block does.
    """

    objects: list[tuple[str, Sequence[str]]] = field(default_factory=list)
    by_transaction: bool = False

    def take_back(self, database: Database, schema: str, drafts: Iterable[Draft] = ()) -> None:
        # What a task of a cluster writes later is still recorded.
        stays_recorded = any(draft.has_other_writers for draft in drafts)
        for store, paths in self.objects:
            if stays_recorded:
                journal.remove(database, store, paths)
            else:
                journal.take_back(database, schema, store, paths)


def _insert(table: Table, database: Database, staged: StagedInsert, owned: _Owned) -> None:
    schema, session = table.name.schema, database.session
    # What takes long comes before the transaction.
    references = {name: draft.finish() for name, draft in staged.drafts.items() if not draft.is_shared}
    with session.transaction():
        session.after_rollback(lambda: owned.take_back(database, schema))
        owned.by_transaction = True
        for store, paths in owned.objects:
            journal.record_owned(database, schema, store, paths)
        references |= {name: draft.finish() for name, draft in staged.drafts.items() if draft.is_shared}
        batches = prepare([{**staged.rec, **references}], table, encode=_encoder(table, database, references))
        write.insert_batches(table, batches, database, OnConflict.ERROR)


def _encoder(table: Table, database: Database, references: Mapping[str, str]) -> Encode:
    """As of other inserts, but for attributes whose objects are written already."""
    encode = write.encoder(table, database)

    def encode_rest(
        attribute: Attribute, values: Any, first_row: int, keys: Sequence[Mapping[str, Any]]
    ) -> pa.Array:
        if attribute.name in references:
            return pa.array([references[attribute.name]], pa.string())
        return encode(attribute, values, first_row, keys)

    return encode_rest
