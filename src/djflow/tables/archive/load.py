"""Rows of one table out of an archive into the database."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum

import pyarrow as pa

from djflow.backend.wire import copy_format, encode_copy
from djflow.engine.run import streamed
from djflow.errors import ArchiveError, DuplicateError
from djflow.model.table import Table
from djflow.model.types import NativeType
from djflow.planner.nodes import Node, Scan, SemiJoin
from djflow.relation.database import Database
from djflow.sql import archive as sql
from djflow.sql import rows as rows_sql
from djflow.sql import staging
from djflow.tables.archive.content import ContentHash
from djflow.tables.archive.stored import StoredTable, stored
from djflow.tables.conflicts import check_match
from djflow.tables.staging import stage, unstage


class Policy(Enum):
    """What happens to a row whose primary key exists."""

    ERROR = "error"
    SKIP = "skip"
    MATCH = "match"


@dataclass(slots=True)
class Loading:
    """Puts the rows of one table back, inside a transaction, and checks that they arrived.

    `rows` are those of the archive as they are to be stored; `advance` is told how many went in.
    """

    database: Database
    table: Table
    rows: Iterator[pa.RecordBatch]
    advance: Callable[[int], object]
    archive: str
    sent: ContentHash = field(default_factory=ContentHash)

    def into_new(self) -> int:
        """Fill a table that this transaction created; none are skipped."""
        session = self.database.session
        session.copy(rows_sql.copy_into(self.table.name, self._names, self._format), self._payload())
        self._check(self._hash(Scan(self._stored)))
        self._advance_counters()
        return 0

    def into_existing(self, policy: Policy) -> int:
        """Add the rows to a table that others may be using, too; how many were skipped.

        Raises `DuplicateError` for a key that exists or, to match, `ConflictError` for one with other values.
        """
        if not self.table.primary_key:
            return self._without_key(policy)
        session = self.database.session
        # Foreign keys are looked at when a statement ends: one statement adds rows that refer to each other.
        stage(session, self.table)
        number = session.copy(
            staging.copy_into_staging(self.table, self._names, self._format), self._payload()
        )
        if policy is Policy.MATCH:
            check_match(self.table, self.table.heading.names, self.database)
        there, skipped = ContentHash(), 0
        if policy is not Policy.ERROR:
            there = self._hash(SemiJoin(self._staged, Scan(self._stored), self.table.primary_key))
            [(skipped,)] = session.execute(sql.drop_staged_duplicates(self.table))
        self._insert_staged()
        added = self._hash(SemiJoin(Scan(self._stored), self._staged, self.table.primary_key))
        self._check(there + added)
        unstage(session, self.table, number)
        self._advance_counters()
        return int(skipped)

    def _without_key(self, policy: Policy) -> int:
        """Add the rows to what a table without a primary key holds; none are skipped."""
        if policy is not Policy.ERROR:
            raise ArchiveError(
                f"{self.table.name} has no primary key, so on_conflict={policy.value!r} cannot tell which "
                "rows exist; nothing was restored. Restore without it",
                archive=self.archive,
            )
        session = self.database.session
        session.execute(rows_sql.lock_table(self.table.name))  # as one row is like another, all are counted
        before = self._hash(Scan(self._stored))
        stage(session, self.table)
        number = session.copy(
            staging.copy_into_staging(self.table, self._names, self._format), self._payload()
        )
        self._insert_staged()
        self._check(self._hash(Scan(self._stored)), before)
        unstage(session, self.table, number)
        self._advance_counters()
        return 0

    def _insert_staged(self) -> None:
        session = self.database.session
        generated = {name for (name,) in session.execute(sql.select_generated(self.table))}
        names = [name for name in self._names if name not in generated]
        try:
            session.execute(sql.insert_staged(self.table, names))
        except DuplicateError as error:
            # An insert's advice is none here. What conflicts are resolved by is the primary key.
            if not error.constraint.endswith("_pkey"):
                raise
            raise DuplicateError(
                f"{self.table.name} has a row already with {error.key or 'a key of the archive'}. Restore "
                "with on_conflict='skip' to keep what is there, or 'match' to make sure that it is the same.",
                table=str(self.table.name),
                constraint=error.constraint,
                key=error.key,
            ) from error

    @property
    def _stored(self) -> StoredTable:
        return stored(self.table)

    @property
    def _staged(self) -> Node:
        return Scan(stored(self.table, staging.staging_name(self.table)))

    @property
    def _names(self) -> tuple[str, ...]:
        return self._stored.heading.names

    @property
    def _format(self) -> str:
        return copy_format(self._stored.heading)

    def _payload(self) -> Iterator[bytes]:
        return encode_copy(self._passing(), tuple(self._stored.heading))

    def _passing(self) -> Iterator[pa.RecordBatch]:
        for batch in self.rows:
            self.sent.add(batch)
            yield batch
            self.advance(batch.num_rows)

    def _hash(self, plan: Node) -> ContentHash:
        found = ContentHash()
        for batch in streamed(self.database.session, plan):
            found.add(batch)
        return found

    def _check(self, found: ContentHash, before: ContentHash | None = None) -> None:
        expected = self.sent if before is None else before + self.sent
        if found.rows != expected.rows or found.hexdigest() != expected.hexdigest():
            raise ArchiveError(
                f"the database holds other rows of {self.table.name} than the {self.sent.rows:,} that were "
                f"sent ({found.rows:,} found). A trigger may have changed them; nothing was restored",
                archive=self.archive,
            )

    def _advance_counters(self) -> None:
        inherited = {own for key in self.table.foreign_keys for own in key.own}
        for column in self.table.columns:
            counts = isinstance(column.stored, NativeType) and column.stored.sql.endswith("serial")
            if counts and column.name not in inherited:
                self.database.session.execute(sql.advance_counter(self.table, column.name))
