"""Collection of objects that no row needs: found in the database, put into quarantine, then removed."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import DjflowError, InvalidArgumentError, QueryError
from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.sql.objects import Kind
from djflow.tables.default import conn
from djflow.tables.objects import audit
from djflow.tables.objects.home import check_home, take_over
from djflow.tables.objects.journal import has_record
from djflow.tables.objects.looking import looking_at_all
from djflow.tables.objects.orphans import Orphan, Step, find_orphans, frame, sizes
from djflow.tables.objects.purge import purge
from djflow.tables.objects.references import names_of

if TYPE_CHECKING:
    import polars as pl

GRACE: Final = timedelta(days=7)
_logger: Final = logging.getLogger(__name__)
_SECTIONS: Final = {Kind.SHARED: "hash", Kind.OWNED: "schema"}


class GarbageCollector:
    """Removes what rows of some schemas once had in a store and no row has any more.

    It never lists the store: all that was written is recorded in the schema, before it is written. What no
    row of the database refers to goes into quarantine, and after the grace period, if still no row refers to
    it, out of the store. Writers may work meanwhile.

    `schemas` are schemas or, of the default database, their names. `store` is a store's name, by default the
    default store. `grace` is how long an object stays in quarantine, by default 7 days. Nothing shorter than
    the longest transaction is safe where rows are copied from one table into another by a query.

    Raises `DjflowError` without a schema or for schemas of several databases, `ConfigError` for a store that
    is not configured.
    """

    def __init__(self, *schemas: Any, store: str | None = None, grace: timedelta = GRACE) -> None:
        if not schemas:
            raise DjflowError(
                "At least one schema must be given: dj.gc.GarbageCollector(schema) collects what rows of "
                "the schema had in a store."
            )
        if not isinstance(grace, timedelta) or grace < timedelta(0):
            raise InvalidArgumentError(
                f"grace is a datetime.timedelta of no less than 0, such as timedelta(days=7), not {grace!r}."
            )
        self._database = _database(schemas)
        self._schemas = tuple(dict.fromkeys(_name(schema) for schema in schemas))
        self._store = self._database.settings.stores.named(store).name
        self._grace = grace

    def __repr__(self) -> str:
        return f"GarbageCollector({', '.join(map(repr, self._schemas))}, store={self._store!r})"

    def plan(self) -> "pl.DataFrame":
        """What a collection would act on, and why; nothing is changed.

        Columns: `schema`, `store`, `path`, `kind` ("owned" by one row, or "shared" by all with the content),
        `bytes`, `why`, `recorded_at` and `quarantined_at` (null before its quarantine). What a transaction
        that still runs has written is left out.

        Raises `AccessError` where you may not read all tables whose rows can refer to objects,
        `BucketInaccessible` where the store cannot be reached.
        """
        return frame(self._weighed(self._orphans()), self._grace)

    def collect(
        self,
        dry_run: bool = True,  # noqa: FBT001, FBT002 - documented
        verbose: bool = False,  # noqa: FBT001, FBT002 - documented
    ) -> dict[str, int]:
        """Put into quarantine what no row refers to, and remove what has been there for the grace period.

        By default only reports, and changes nothing. `verbose` logs each removal.

        Returns numbers of objects: `hash_paths_stored`, `hash_paths_referenced`, `hash_paths_orphaned` and
        `hash_paths_orphaned_bytes` of shared contents, the same with `schema_paths_` of objects that one row
        owns, and `quarantined`, `released`, `deleted`, `bytes_freed`, and `errors` (objects that the store
        did not remove: a warning in the log tells why, and the next collection tries again).

        Raises `QueryError` inside a transaction and, unless it is a dry run, in a copy of the database where
        the objects were recorded (see `take_over`), and as `plan` does.
        """
        session = self._database.session
        if session.in_transaction:
            raise QueryError("Collect outside of a transaction: what it removes could not be rolled back.")
        orphans = self._weighed(self._orphans())
        statistics = self._statistics(orphans)
        if dry_run:
            return statistics
        self._check_home()
        statistics["quarantined"] = self._mark(orphans, Step.QUARANTINE, sql.quarantine_objects)
        statistics["released"] = self._mark(orphans, Step.RELEASE, sql.release_objects)
        due = [o for o in orphans if o.step is Step.PURGE or (o.step is Step.QUARANTINE and not self._grace)]
        for purged in purge(self._database, due, self._grace):
            statistics["deleted"] += len(purged.orphans)
            statistics["bytes_freed"] += sum(orphan.bytes for orphan in purged.orphans)
            statistics["errors"] += purged.errors
            if verbose:
                _log(purged.orphans)
        return statistics

    def audit(self, dry_run: bool = True) -> "pl.DataFrame":  # noqa: FBT001, FBT002 - as collect
        """The files in the schemas' sections of the store that the database does not know.

        Lists the store, which may take long. What DataJoint wrote is not recorded, so it shows up here
        once no row refers to it. Columns: `schema`, `store`, `path`, `kind`, `bytes`, `modified`.

        With `dry_run=False` they are recorded as being in quarantine from now on: `collect` removes them
        after the grace period, unless rows refer to them by then. Raises as `collect` does.
        """
        session = self._database.session
        if session.in_transaction:
            raise QueryError("Audit outside of a transaction: it reads what others have committed.")
        unknown = [audit.unknown_files(self._database, schema, self._store) for schema in self._schemas]
        if not dry_run:
            self._check_home()
            for files in unknown:
                audit.adopt(self._database, files)
        return audit.frame([file for files in unknown for file in files])

    def take_over(self) -> None:
        """Say that the objects of the schemas are of this database alone from now on.

        A database that was restored from a dump has the same references as the one that was dumped, so its
        collections refuse to remove anything: call this where the other one is gone for good.

        Raises `AccessError` where the record of objects is not yours.
        """
        take_over(self._database.session, self._recorded())

    def _check_home(self) -> None:
        for schema in self._recorded():
            check_home(self._database.session, schema)

    def _recorded(self) -> list[str]:
        return [schema for schema in self._schemas if has_record(self._database.session, schema)]

    def _orphans(self) -> list[Orphan]:
        return [
            orphan
            for schema in self._recorded()
            for orphan in find_orphans(self._database, schema, self._store, self._grace)
        ]

    def _weighed(self, orphans: Sequence[Orphan]) -> list[Orphan]:
        found = sizes(self._database.open_store(self._store), [orphan.path for orphan in orphans])
        return [replace(orphan, bytes=size) for orphan, size in zip(orphans, found, strict=True)]

    def _statistics(self, orphans: Sequence[Orphan]) -> dict[str, int]:
        stored = self._stored()
        statistics: dict[str, int] = {}
        for kind, section in _SECTIONS.items():
            orphaned = [o for o in orphans if o.kind is kind and o.step is not Step.RELEASE]
            statistics |= {
                f"{section}_paths_referenced": stored[kind] - len(orphaned),
                f"{section}_paths_stored": stored[kind],
                f"{section}_paths_orphaned": len(orphaned),
                f"{section}_paths_orphaned_bytes": sum(orphan.bytes for orphan in orphaned),
            }
        return statistics | dict.fromkeys(("quarantined", "released", "deleted", "bytes_freed", "errors"), 0)

    def _stored(self) -> dict[Kind, int]:
        session, counts = self._database.session, dict.fromkeys(Kind, 0)
        names = names_of(self._database.settings.stores, self._store)
        for schema in self._schemas:
            if has_record(session, schema):
                for kind, count in session.execute(sql.count_objects(schema), [names]):
                    counts[Kind(kind)] += count
        return counts

    def _mark(self, orphans: Iterable[Orphan], step: Step, statement: Any) -> int:
        session, marked = self._database.session, [orphan for orphan in orphans if orphan.step is step]
        for (schema, store), group in groupby(marked, key=lambda orphan: (orphan.schema, orphan.store)):
            run = partial(session.execute, statement(schema), [store, [orphan.path for orphan in group]])
            looking_at_all(session, run)
        return len(marked)


def _database(schemas: Sequence[Any]) -> Database:
    found = [conn() if isinstance(schema, str) else _connection(schema) for schema in schemas]
    if any(database is not found[0] for database in found):
        raise DjflowError("The schemas are of several databases: make a collector for each database.")
    return found[0]


def _connection(schema: Any) -> Database:
    connection = getattr(schema, "connection", None)
    if not isinstance(connection, Database) or not isinstance(getattr(schema, "database", None), str):
        raise InvalidArgumentError(f"A schema is a dj.Schema or its name, not {schema!r}.")
    return connection


def _name(schema: Any) -> str:
    return schema if isinstance(schema, str) else str(schema.database)


def _log(orphans: Iterable[Orphan]) -> None:
    for orphan in orphans:
        _logger.info("removed %s from store %s (%d bytes)", orphan.path, orphan.store, orphan.bytes)
