"""Objects out of their store for good."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from time import time
from typing import Final

from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.tables.objects.looking import looking_at_all
from djflow.tables.objects.orphans import Orphan
from djflow.tables.objects.references import columns_of, names_elsewhere
from djflow.tables.objects.removal import remove_each

_logger: Final = logging.getLogger(__name__)
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
    reasons = remove_each(store, doomed, until)
    removed = [path for path, reason in zip(doomed, reasons, strict=True) if reason is None]
    if first := next(filter(None, reasons), None):
        _logger.warning("%d objects stay in store %s for now: %s", len(doomed) - len(removed), name, first)
    looking_at_all(session, lambda: session.execute(sql.bury_objects(schema), [name, removed]))
    return Purged(tuple(by_path[path] for path in removed), len(doomed) - len(removed))


def _condemn(database: Database, schema: str, name: str, paths: list[str], grace: timedelta) -> list[str]:
    """Have no writer use those of some paths any more that still nothing needs."""
    session = database.session

    def condemn() -> list[str]:
        locked = session.execute(sql.lock_quarantined(schema), [name, paths, grace.total_seconds()])
        # The tables are looked for now: all that wrote these objects have ended, with their tables made.
        statement = sql.condemn_objects(schema, columns_of(database, schema))
        elsewhere = names_elsewhere(database.settings.stores, name)
        condemned = session.execute(statement, [elsewhere, name, [path for (path,) in locked]])
        return [path for (path,) in condemned]

    return looking_at_all(session, condemn)
