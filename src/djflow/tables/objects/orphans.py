"""Objects without a row: which there are, and what a collection does with each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from djflow.errors import BucketInaccessible, StorageError
from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.sql.objects import Kind
from djflow.storage.parallel import map_many, threads_for
from djflow.tables.objects.looking import looking_at_all
from djflow.tables.objects.references import columns_of, names_elsewhere, names_of
from djflow.tables.objects.removal import is_reached

if TYPE_CHECKING:
    import polars as pl

    from djflow.storage.store import Store


class Step(Enum):
    """What a collection does next with an object."""

    QUARANTINE = "no row refers to it"
    WAIT = "no row refers to it; in quarantine until {until:%Y-%m-%d %H:%M:%S} UTC"
    PURGE = "no row refers to it; its time in quarantine is over"
    RELEASE = "rows refer to it again: it leaves the quarantine"


@dataclass(frozen=True, slots=True)
class Orphan:
    """A recorded object to which no row refers, or which is in quarantine.

    `is_used` tells that rows refer to it again, `is_due` that its time in quarantine is over.
    """

    schema: str
    store: str
    path: str
    kind: Kind
    recorded_at: datetime
    quarantined_at: datetime | None
    is_used: bool
    is_due: bool
    bytes: int = 0

    @property
    def step(self) -> Step:
        """What a collection does next with it."""
        if self.is_used:
            return Step.RELEASE
        if self.quarantined_at is None:
            return Step.QUARANTINE
        return Step.PURGE if self.is_due else Step.WAIT

    def why(self, grace: timedelta) -> str:
        """The same in words."""
        until = self.quarantined_at and self.quarantined_at + grace
        return self.step.value.format(until=until)


def find_orphans(database: Database, schema: str, store: str, grace: timedelta) -> list[Orphan]:
    """The orphans of a schema in a store, without their sizes.

    Raises `AccessError` where the role may not read all tables whose rows can refer to objects.
    """
    stores = database.settings.stores
    names, elsewhere = names_of(stores, store), names_elsewhere(stores, store)

    def find() -> list[tuple[Any, ...]]:
        statement = sql.select_orphans(schema, columns_of(database, schema))
        return database.session.execute(statement, [names, elsewhere, grace.total_seconds()])

    found = looking_at_all(database.session, find)
    return [Orphan(schema, place, path, Kind(kind), *rest) for place, path, kind, *rest in found]


def sizes(store: "Store", paths: Sequence[str]) -> list[int]:
    """How many bytes objects have; 0 for what was never written.

    Raises `BucketInaccessible` where the store cannot be asked.
    """
    return map_many(lambda path: _size(store, path), paths, threads_for([store]))


def _size(store: "Store", path: str) -> int:
    try:
        return store.size(path)
    except StorageError as error:
        if isinstance(error, BucketInaccessible) and not is_reached(store):
            raise
        return 0


def frame(orphans: Iterable[Orphan], grace: timedelta) -> "pl.DataFrame":
    """A row for each orphan."""
    import polars as pl

    moment = pl.Datetime("us", "UTC")
    columns = {
        "schema": pl.String(),
        "store": pl.String(),
        "path": pl.String(),
        "kind": pl.String(),
        "bytes": pl.Int64(),
        "why": pl.String(),
        "recorded_at": moment,
        "quarantined_at": moment,
    }
    rows = [
        (o.schema, o.store, o.path, str(o.kind), o.bytes, o.why(grace), o.recorded_at, o.quarantined_at)
        for o in orphans
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")
