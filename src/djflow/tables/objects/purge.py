"""Objects out of their store for good."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from time import time
from typing import Final

from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.storage.parallel import map_many, threads_for
from djflow.tables.objects.journal import is_removed
from djflow.tables.objects.looking import looking_at_all
from djflow.tables.objects.orphans import Orphan
from djflow.tables.objects.references import columns_of, names_of

BATCH: Final = 10_000  # each looks at all references
# Who takes longer, as a computer that slept meanwhile, leaves the rest to the next collection: a path may be
# used again a long time after it was condemned.
SOON: Final = 3600.0  # seconds
LONG: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Purged:
    """What was removed, and how many objects could not be."""

    orphans: tuple[Orphan, ...]
    errors: int


def purge(database: Database, orphans: Sequence[Orphan], grace: timedelta) -> Iterator[Purged]:
    """Remove objects whose time in quarantine is over and that still nothing needs, a batch at a time."""
    for (schema, store), group in groupby(orphans, key=lambda orphan: (orphan.schema, orphan.store)):
        of_store = list(group)
        for start in range(0, len(of_store), BATCH):
            yield _purge(database, schema, store, of_store[start : start + BATCH], grace)
        database.session.execute(sql.forget_removed(schema), [LONG])


def _purge(database: Database, schema: str, name: str, orphans: Sequence[Orphan], grace: timedelta) -> Purged:
    session, store = database.session, database.open_store(name)
    by_path = {orphan.path: orphan for orphan in orphans}
    until = time() + SOON
    doomed = _condemn(database, schema, name, list(by_path), grace)
    threads = threads_for([store])
    results = map_many(lambda path: time() < until and is_removed(store, path), doomed, threads)
    removed = [path for path, is_gone in zip(doomed, results, strict=True) if is_gone]
    looking_at_all(session, lambda: session.execute(sql.bury_objects(schema), [name, removed]))
    return Purged(tuple(by_path[path] for path in removed), len(doomed) - len(removed))


def _condemn(database: Database, schema: str, name: str, paths: list[str], grace: timedelta) -> list[str]:
    """Have no writer use those of some paths any more that still nothing needs."""
    session = database.session

    def condemn() -> list[str]:
        locked = session.execute(sql.lock_quarantined(schema), [name, paths, grace.total_seconds()])
        # The tables are looked for now: all that wrote these objects have ended, with their tables made.
        statement = sql.condemn_objects(schema, columns_of(database))
        names = names_of(database.settings.stores, name)
        condemned = session.execute(statement, [names, name, [path for (path,) in locked]])
        return [path for (path,) in condemned]

    return looking_at_all(session, condemn)
