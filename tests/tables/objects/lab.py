"""A schema whose rows have objects of both kinds, and what is known of them."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from djflow.gc import GarbageCollector
from djflow.relation.database import Database
from djflow.storage.store import Store
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

DEFINITION = """
recording : int32
---
trace = null : <npy@>
note = null : <blob@>
"""


@dataclass(frozen=True)
class Lab:
    """A schema with a table, an array and a note in each of its rows."""

    schema: Schema
    recording: type[Manual]

    @property
    def database(self) -> Database:
        return self.schema.connection

    @property
    def store(self) -> Store:
        return self.database.open_store("")

    def insert(self, *numbers: int, note: str = "calm") -> None:
        self.recording().insert([(number, np.arange(number), note) for number in numbers])

    def delete(self, condition: str = "recording >= 0") -> None:
        (self.recording() & condition).delete(prompt=False)

    def collector(self, grace: timedelta = timedelta(0)) -> GarbageCollector:
        return GarbageCollector(self.schema, grace=grace)

    def stored(self) -> set[str]:
        """The paths of all files in the store."""
        return {file.path for file in self.store.list("")}

    def recorded(self) -> set[str]:
        """The paths of all objects that are recorded and not removed."""
        sql = f'SELECT path FROM "{self.schema.database}"."~objects" WHERE removed_at IS NULL'
        return {path for (path,) in self.database.query(sql)}
