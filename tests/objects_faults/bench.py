"""A schema with a table for each codec, and the laws that hold whatever has happened to a writer."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

from tests.objects_faults.faulty import NO_FAULT, Fault, FaultyDatabase
from tests.objects_faults.values import EXAMPLES, Example

from djflow.gc import GarbageCollector
from djflow.relation.database import Database
from djflow.storage.store import Store
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

_LIVE = """
SELECT FROM {}, unnest(writers) w WHERE NOT pg_visible_in_snapshot(w, pg_current_snapshot()) LIMIT 1
"""
_PATIENCE = 30.0  # seconds until the server must have noticed that a client is gone


@dataclass
class Bench:
    """Tables with a column of a codec each."""

    database: Database
    name: str
    folder: Path

    def __post_init__(self) -> None:
        self.numbers = count(1)
        self.schema = Schema(self.name, connection=self.database)
        self.tables = {
            example.table: self.schema(type(example.table, (Manual,), {"definition": example.definition}))()
            for example in EXAMPLES
        }
        self.schema.create()
        self.shaky = FaultyDatabase(lambda: self.database.settings)
        self.shaken = {
            name: FreeTable(self.shaky, f"{self.name}.{_name(table)}") for name, table in self.tables.items()
        }

    @property
    def store(self) -> Store:
        """The store, without faults."""
        return self.database.open_store("")

    @property
    def collector(self) -> GarbageCollector:
        """What collects at once."""
        return GarbageCollector(self.schema, grace=timedelta(0))

    def rows(self, example: Example, number: int, first: int = 0) -> list[tuple[int, Any]]:
        """So many new rows; their numbers are larger than `first`."""
        numbers = [first + next(self.numbers) for _ in range(number)]
        return [(n, example.value(self.folder, n)) for n in numbers]

    @contextmanager
    def failing(self, fault: Fault) -> Iterator[None]:
        """While the store of the shaken tables fails."""
        self.shaky.fault = fault
        try:
            yield
        finally:
            self.shaky.fault = NO_FAULT

    # laws

    def check(self) -> None:
        """Nothing is dangling, nothing unknown, nothing lost, and a collection removes what no row needs."""
        self.wait_for_the_end_of_writers()
        assert self.problems() == []
        stored, needed = self.stored(), self.referred()
        assert {file for file in stored if not _lies_in(file, self.recorded() | needed)} == set()
        self.collector.collect(dry_run=False)
        left = self.stored()
        assert left == {file for file in stored if _lies_in(file, needed) and not _is_unfinished(file)}
        assert self.recorded() == self.referred() == needed

    def wait_for_the_end_of_writers(self) -> None:
        """The server notices a moment later that a client is gone."""
        until = time.monotonic() + _PATIENCE
        while self.database.query(_LIVE.format(f'"{self.name}"."~objects"')):
            assert time.monotonic() < until
            time.sleep(0.002)

    def problems(self) -> Sequence[Any]:
        """What is not in the store as rows have it."""
        return [each for table in self.tables.values() for each in table.verify().rows()]

    def count(self, example: Example, rows: Sequence[tuple[int, Any]]) -> int:
        """How many of some rows are in the table of a codec."""
        return len(self.tables[example.table] & [{"number": number} for number, _ in rows])

    def forget(self) -> None:
        """Begin the next scenario without rows."""
        for table in self.tables.values():
            table.delete_quick()

    def stored(self) -> set[str]:
        """All files in the store."""
        return {file.path for file in self.store.list("")}

    def recorded(self) -> set[str]:
        """All objects that are recorded."""
        sql = f'SELECT path FROM "{self.name}"."~objects" WHERE removed_at IS NULL'
        return {path for (path,) in self.database.query(sql)}

    def referred(self) -> set[str]:
        """All objects to which rows refer."""
        selects = [
            f"SELECT datum ->> 'path' FROM \"{self.name}\".{_name(table)}" for table in self.tables.values()
        ]
        return {path for (path,) in self.database.query(" UNION ".join(selects))}


def _name(table: Manual) -> str:
    return table.table_model.name.table


def _is_unfinished(file: str) -> bool:
    name = file.rpartition("/")[2]
    return name.startswith(".") and name.endswith(".tmp")


def _lies_in(file: str, objects: set[str]) -> bool:
    """Whether a file is an object, lies in one, or is one that its writer did not finish."""
    if _is_unfinished(file):
        folder, _, name = file.rpartition("/")
        return _lies_in(f"{folder}/{name[1:-4]}", objects)
    above = file
    while above:
        if above in objects:
            return True
        above = above.rpartition("/")[0]
    return False
