"""Writers and collectors in any order, whose connections break at any point: a reference always resolves."""

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.tables.objects.actors import Actor, Gate, GatedDatabase, Killed, SharedText

from djflow.errors import DjflowError
from djflow.gc import GarbageCollector
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

if TYPE_CHECKING:
    from djflow.relation.database import Database
    from djflow.tables.objects.collector import GarbageCollector as Collector

ZERO = timedelta(0)
DEFINITION = f"""
page : int32
---
text : <{SharedText.name}@>
image : <npy@>
content : varchar(1)
"""


class Scenario(RuleBasedStateMachine):
    """At most three actors at once; rows are deleted in between."""

    database: ClassVar["Database"]

    @initialize()
    def begin(self) -> None:
        self.schema = Schema(f"test_{uuid4().hex[:12]}", connection=self.database)
        table = self.schema(type("Page", (Manual,), {"definition": DEFINITION}))
        table().insert([(0, "z", _image(), "z")])
        self.name = self.schema.database
        self.store = self.database.open_store("")
        self.actors: list[Actor] = []
        self.pages = 0

    # what the actors do

    @precondition(lambda self: len(self.actors) < 3)
    @rule(content=st.sampled_from("ab"))
    def start_a_writer(self, content: str) -> None:
        self.pages += 1
        page = self.pages

        def write(database: GatedDatabase, gate: Gate) -> None:
            with database.transaction:
                FreeTable(database, f"{self.name}.page").insert([(page, content, _image(), content)])
                gate.stop()

        self.actors.append(Actor(self.database.settings, write))

    @precondition(lambda self: len(self.actors) < 3)
    @rule()
    def start_a_collector(self) -> None:
        def collect(database: GatedDatabase, _gate: Gate) -> None:
            self.collector(database).collect(dry_run=False)

        self.actors.append(Actor(self.database.settings, collect))

    @precondition(lambda self: self.actors)
    @rule(choice=st.integers(0, 2), steps=st.integers(1, 4))
    def go_on(self, choice: int, steps: int) -> None:
        actor = self.chosen(choice)
        for _ in range(steps):
            if not actor.is_done:
                actor.go_on()
        self.forget_who_is_done()

    @precondition(lambda self: self.actors)
    @rule(choice=st.integers(0, 2))
    def finish(self, choice: int) -> None:
        self.chosen(choice).finish()
        self.forget_who_is_done()

    @precondition(lambda self: self.actors)
    @rule(choice=st.integers(0, 2))
    def give_up(self, choice: int) -> None:
        self.chosen(choice).give_up()
        self.forget_who_is_done()

    @precondition(lambda self: self.actors)
    @rule(choice=st.integers(0, 2))
    def break_the_connection(self, choice: int) -> None:
        """The server ends what it did; its process may notice late, or never go on."""
        self.database.query("SELECT pg_terminate_backend($1, 5000)", (self.chosen(choice).pid,))

    @rule(content=st.sampled_from("ab"))
    def delete_rows(self, content: str) -> None:
        self.database.query(f'DELETE FROM "{self.name}".page WHERE content = $1', (content,))

    # laws

    @invariant()
    def every_reference_resolves(self) -> None:
        missing = [path for path in self.referred() if not self.store.exists(path)]
        assert missing == []

    def teardown(self) -> None:
        for actor in getattr(self, "actors", []):
            actor.finish()
            assert actor.error is None or isinstance(actor.error, DjflowError | Killed), actor.error
        if not hasattr(self, "schema"):
            return
        try:
            self.every_reference_resolves()
            self.nothing_is_left_unknown()
        finally:
            self.schema.drop(prompt=False)

    def nothing_is_left_unknown(self) -> None:
        """A last collection leaves what rows refer to, and what came late from a broken connection."""
        self.collector(self.database).collect(dry_run=False)
        own = [file.path for file in self.store.list("") if f"/{self.name}/" in file.path]
        left = set(own) - self.referred()
        assert left == set(self.collector(self.database).audit()["path"])
        assert self.collector(self.database).plan().is_empty()

    # helpers

    def collector(self, database: "Database") -> "Collector":
        return GarbageCollector(SimpleNamespace(connection=database, database=self.name), grace=ZERO)

    def chosen(self, choice: int) -> Actor:
        return self.actors[choice % len(self.actors)]

    def forget_who_is_done(self) -> None:
        for actor in self.actors:
            if actor.is_done:
                assert actor.error is None or isinstance(actor.error, DjflowError | Killed), actor.error
        self.actors = [actor for actor in self.actors if not actor.is_done]

    def referred(self) -> set[str]:
        """The paths in committed rows."""
        sql = f"SELECT text->>'path', image->>'path' FROM \"{self.name}\".page"
        return {path for row in self.database.query(sql) for path in row}


def _image() -> Any:
    import numpy as np

    return np.zeros(1)


def test_a_reference_in_a_committed_row_always_resolves(database: "Database") -> None:
    class Here(Scenario):
        pass

    Here.database = database
    run_state_machine_as_test(
        Here, settings=hypothesis_settings(max_examples=8, stateful_step_count=25, deadline=None)
    )
