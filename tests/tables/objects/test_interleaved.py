"""Writers, collectors, auditors and restorers in any order, whose connections break at any point.

`DJFLOW_TEST_EXAMPLES` sets how many scenarios are tried.
"""

import os
from datetime import timedelta
from pathlib import Path
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
from djflow.tables.archive.restore import restore_archive
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

if TYPE_CHECKING:
    from djflow.relation.database import Database
    from djflow.tables.objects.collector import GarbageCollector as Collector

ZERO = timedelta(0)
EXAMPLES = max(10, int(os.environ.get("DJFLOW_TEST_EXAMPLES", "0")) // 20)
DEFINITION = f"""
page : int32
---
text : <{SharedText.name}@>
image : <npy@>
content : varchar(1)
"""
COPY = f"""
page : int32
---
text : <{SharedText.name}@>
image : <npy@>
"""


class Scenario(RuleBasedStateMachine):
    """At most three actors at once; rows are deleted, kept in archives and copied in between.

    A copy is one statement: a grace period of 0 is not for transactions that copy rows and stay open.
    """

    database: ClassVar["Database"]
    folder: ClassVar[Path]

    @initialize()
    def begin(self) -> None:
        self.schema = Schema(f"test_{uuid4().hex[:12]}", connection=self.database)
        table = self.schema(type("Page", (Manual,), {"definition": DEFINITION}))
        table().insert([(0, "z", _image(), "z")])
        self.schema(type("Copy", (Manual,), {"definition": COPY}))().insert([(0, "z", _image())])
        self.name = self.schema.database
        self.archives: list[Path] = []
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

    @precondition(lambda self: len(self.actors) < 3)
    @rule()
    def start_an_auditor(self) -> None:
        def audit(database: GatedDatabase, _gate: Gate) -> None:
            self.collector(database).audit(dry_run=False)

        self.actors.append(Actor(self.database.settings, audit))

    @precondition(lambda self: len(self.actors) < 3 and self.archives)
    @rule(choice=st.integers(0, 2))
    def start_a_restorer(self, choice: int) -> None:
        archive = self.archives[choice % len(self.archives)]

        def restore(database: GatedDatabase, gate: Gate) -> None:
            with database.transaction:
                restore_archive(database, archive, on_conflict="skip")
                gate.stop()

        self.actors.append(Actor(self.database.settings, restore))

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

    @precondition(lambda self: len(self.archives) < 3)
    @rule(content=st.sampled_from("ab"))
    def delete_and_keep(self, content: str) -> None:
        archive = self.folder / uuid4().hex
        pages = FreeTable(self.database, f"{self.name}.page")
        if (pages & {"content": content}).delete(archive=archive, prompt=False):
            self.archives.append(archive)

    @rule(content=st.sampled_from("ab"))
    def copy_rows(self, content: str) -> None:
        self.database.query(
            f'INSERT INTO "{self.name}".copy SELECT page, text, image FROM "{self.name}".page '
            "WHERE content = $1 ON CONFLICT DO NOTHING",
            (content,),
        )

    @rule()
    def delete_copies(self) -> None:
        self.database.query(f'DELETE FROM "{self.name}".copy WHERE page > 0')

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
        paths = "SELECT text->>'path', image->>'path' FROM"
        sql = f'{paths} "{self.name}".page UNION ALL {paths} "{self.name}".copy'
        return {path for row in self.database.query(sql) for path in row}


def _image() -> Any:
    import numpy as np

    return np.zeros(1)


def test_a_reference_in_a_committed_row_always_resolves(database: "Database", tmp_path: Path) -> None:
    class Here(Scenario):
        pass

    Here.database, Here.folder = database, tmp_path
    run_state_machine_as_test(
        Here, settings=hypothesis_settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
    )
