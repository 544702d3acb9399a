"""A writer and a collector of one content, in every order of what they do with the store."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace

import pytest
from tests.tables.objects.actors import Actor, Gate, GatedDatabase, SharedText

from djflow.gc import GarbageCollector
from djflow.relation.database import Database
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

DEFINITION = f"""
page : int32
---
text : <{SharedText.name}@>
"""


class Pair:
    """A content that no row has any more, who writes it again, and who collects it."""

    def __init__(self, schema: Schema) -> None:
        self.database, self.name = schema.connection, schema.database
        self.page = schema(type("Page", (Manual,), {"definition": DEFINITION}))()

    def prepare(self) -> None:
        """The content is in the store and in no row."""
        self.page.insert([(1, "text")])
        self.page.delete(prompt=False)

    def writer(self) -> Actor:
        return Actor(self.database.settings, self._write)

    def collector(self) -> Actor:
        return Actor(self.database.settings, self._collect)

    def break_connection(self, actor: Actor) -> None:
        self.database.query("SELECT pg_terminate_backend($1, 5000)", (actor.pid,))

    def check(self) -> None:
        """What is in rows is in the store."""
        problems = self.page.verify()
        assert problems.is_empty(), problems.to_dicts()

    def _write(self, database: GatedDatabase, gate: Gate) -> None:
        with database.transaction:
            FreeTable(database, f"{self.name}.page").insert([(2, "text")])
            gate.stop()

    def _collect(self, database: Database, _gate: Gate) -> None:
        schema = SimpleNamespace(connection=database, database=self.name)
        GarbageCollector(schema, grace=timedelta(0)).collect(dry_run=False)


@pytest.fixture
def pair(schema: Schema) -> Pair:
    """The two, in a schema of their own."""
    return Pair(schema)


def stops(pair: Pair) -> Iterator[tuple[int, int]]:
    """After how many gates each of the two stops: all there are."""
    pair.prepare()
    collector = _count(pair.collector())
    writer = _count(pair.writer())
    return ((i, j) for i in range(collector + 1) for j in range(writer + 1))


def _count(actor: Actor) -> int:
    count = 0
    while not actor.is_done:
        actor.go_on()
        count += 1
    assert actor.error is None, actor.error
    return count


def _advance(actor: Actor, gates: int) -> None:
    for _ in range(gates):
        if not actor.is_done:
            actor.go_on()


@pytest.mark.parametrize("breaks", [False, True], ids=["connected", "connection lost"])
def test_a_collector_that_is_overtaken_takes_nothing_that_was_written_meanwhile(
    pair: Pair, *, breaks: bool
) -> None:
    for before, meanwhile in stops(pair):
        pair.page.delete(prompt=False)
        pair.prepare()
        collector = pair.collector()
        _advance(collector, before)
        if breaks and not collector.is_done:
            pair.break_connection(collector)
        writer = pair.writer()
        _advance(writer, meanwhile)
        collector.finish()
        pair.check()
        writer.finish()
        assert writer.error is None, writer.error
        pair.check()
        assert len(pair.page) == 1


def test_a_writer_that_is_overtaken_finds_its_content_or_writes_it(pair: Pair) -> None:
    for meanwhile, before in stops(pair):
        pair.page.delete(prompt=False)
        pair.prepare()
        writer = pair.writer()
        _advance(writer, before)
        collector = pair.collector()
        _advance(collector, meanwhile)
        writer.finish()
        assert writer.error is None, writer.error
        pair.check()
        collector.finish()
        pair.check()
        assert len(pair.page) == 1
