"""Two clients insert, update, delete, populate and alter at once: no row dangles or is lost.

`DJFLOW_TEST_EXAMPLES` sets how many histories are tried.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, ClassVar, Final
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.tables.promised_world import KEY_LENGTHS, TABLES, Changes, World, cascade, orphans_masters

import djflow as dj
from djflow.configuration import Settings
from djflow.errors import DjflowError, DuplicateError, IntegrityError, MissingRowError, PartIntegrityError
from djflow.relation.database import Database

EXAMPLES: Final = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "1500")) // 60
CLIENTS: Final = (0, 1)
SMALL: Final = st.integers(0, 2)


class Client:
    """A program of its own: its connection, its classes."""

    def __init__(self, home: Any, name: str) -> None:
        given = Settings(home=home)
        self.database = Database(lambda: given)
        self.schema = dj.Schema(name, connection=self.database)
        self.tables = declare(self.schema)
        self.transaction: ExitStack | None = None
        # Two clients of one thread must not wait for each other.
        self.database.query("SET lock_timeout = '30ms'")

    def begin(self) -> None:
        self.transaction = ExitStack()
        self.transaction.enter_context(self.database.transaction)

    def end(self, *, commit: bool) -> None:
        assert self.transaction is not None
        stack, self.transaction = self.transaction, None
        if commit:
            stack.close()
        else:
            error = RuntimeError("changed my mind")
            assert not stack.__exit__(RuntimeError, error, None)


def declare(schema: dj.Schema) -> dict[str, Any]:
    """The pipeline."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name = '' : varchar(10)
        """

    @schema
    class Pair(dj.Manual):
        definition = """
        -> Subject.proj(first='subject')
        -> Subject.proj(second='subject')
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            """

    @schema
    class Note(dj.Manual):
        definition = """
        note : int32
        ---
        -> [nullable] Session
        """

    @schema
    class Count(dj.Computed):
        definition = """
        -> Session
        ---
        n : int32
        """

        class Item(dj.Part):
            definition = """
            -> master
            -> Session.Trial
            """

        def make(self, key: dict[str, Any]) -> None:
            trials = (Session.Trial() & key).keys()
            self.insert1({**key, "n": len(trials)})
            self.Item().insert(trials)

    schema.create()
    return {
        "Subject": Subject,
        "Pair": Pair,
        "Session": Session,
        "Trial": Session.Trial,
        "Note": Note,
        "Count": Count,
        "Item": Count.Item,
    }


def is_blocked(error: DjflowError) -> bool:
    """Whether the other client's open transaction was in the way."""
    states = {getattr(each, "sqlstate", None) for each in (error, error.__cause__)}
    return not states.isdisjoint(("55P03", "40001", "40P01"))


class Promises(RuleBasedStateMachine):
    """Histories of two clients, each step compared with the model."""

    home: ClassVar[Any]

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.extra = 0

    @initialize()
    def connect(self) -> None:
        self.name = f"test_{uuid4().hex[:12]}"
        self.clients = [Client(self.home, self.name) for _ in CLIENTS]
        given = Settings(home=self.home)
        self.observer = Database(lambda: given)

    def teardown(self) -> None:
        if not hasattr(self, "clients"):
            return
        for client in self.clients:
            if client.transaction is not None:
                client.end(commit=False)
            client.database.close()
        self.observer.query(f'DROP SCHEMA "{self.name}" CASCADE')
        self.observer.close()

    # what clients do

    @rule(client=st.sampled_from(CLIENTS))
    def begin(self, client: int) -> None:
        if self.clients[client].transaction is None:
            self.clients[client].begin()
            self.world.pending[client] = Changes()

    @rule(client=st.sampled_from(CLIENTS), commit=st.booleans())
    def end(self, client: int, *, commit: bool) -> None:
        if self.clients[client].transaction is not None:
            self.clients[client].end(commit=commit)
            (self.world.commit if commit else self.world.roll_back)(client)

    def attempt(self, action: Callable[[], Any], expected: type[DjflowError] | None) -> bool:
        """Whether an action succeeded; it fails as expected, or because the other client was in the way."""
        try:
            action()
        except DjflowError as error:
            if not is_blocked(error) and (expected is None or not isinstance(error, expected)):
                raise
            return False
        assert expected is None
        return True

    def insert(self, client: int, table: str, row: tuple[Any, ...], parents: dict[str, Any]) -> None:
        seen = self.world.seen_by(client)
        expected: type[DjflowError] | None = None
        if row[: KEY_LENGTHS[table]] in seen[table]:
            expected = DuplicateError
        elif any(key not in seen[parent] for parent, keys in parents.items() for key in keys):
            expected = IntegrityError
        options = {"allow_direct_insert": True} if table in ("Count", "Item") else {}
        target = self.clients[client].tables[table]()
        if self.attempt(lambda: target.insert([row], **options), expected):
            changes = Changes()
            changes.write(table, row)
            self.world.apply(client, changes)

    @rule(client=st.sampled_from(CLIENTS), subject=SMALL)
    def insert_subject(self, client: int, subject: int) -> None:
        rows = {"subject": subject, "name": "x"}
        seen = self.world.seen_by(client)["Subject"]
        target = self.clients[client].tables["Subject"]()
        if self.attempt(lambda: target.insert1(rows), DuplicateError if (subject,) in seen else None):
            changes = Changes()
            changes.write("Subject", (subject, "x"))
            self.world.apply(client, changes)

    @rule(client=st.sampled_from(CLIENTS), subject=SMALL, session=SMALL)
    def insert_session(self, client: int, subject: int, session: int) -> None:
        self.insert(client, "Session", (subject, session), {"Subject": [(subject,)]})

    @rule(client=st.sampled_from(CLIENTS), first=SMALL, second=SMALL)
    def insert_pair(self, client: int, first: int, second: int) -> None:
        self.insert(client, "Pair", (first, second), {"Subject": [(first,), (second,)]})

    @rule(client=st.sampled_from(CLIENTS), subject=SMALL, session=SMALL, trial=SMALL)
    def insert_trial(self, client: int, subject: int, session: int, trial: int) -> None:
        self.insert(client, "Trial", (subject, session, trial), {"Session": [(subject, session)]})

    @rule(client=st.sampled_from(CLIENTS), note=SMALL, session=st.none() | st.tuples(SMALL, SMALL))
    def insert_note(self, client: int, note: int, session: tuple[int, int] | None) -> None:
        row = (note, *(session or (None, None)))
        self.insert(client, "Note", row, {"Session": [session] if session else []})

    @rule(client=st.sampled_from(CLIENTS), subject=SMALL, name=st.sampled_from(("a", "b")))
    def update(self, client: int, subject: int, name: str) -> None:
        known = (subject,) in self.world.seen_by(client)["Subject"]
        target = self.clients[client].tables["Subject"]()
        row = {"subject": subject, "name": name}
        if self.attempt(lambda: target.update1(row), None if known else MissingRowError):
            changes = Changes()
            changes.write("Subject", (subject, name))
            self.world.apply(client, changes)

    @rule(
        client=st.sampled_from(CLIENTS),
        table=st.sampled_from(TABLES),
        key=st.tuples(SMALL, SMALL, SMALL),
        length=st.integers(1, 3),
        policy=st.sampled_from(("enforce", "cascade", "ignore")),
    )
    def delete(self, client: int, table: str, key: tuple[int, ...], length: int, policy: str) -> None:
        seen = self.world.seen_by(client)
        prefix = key[: min(length, KEY_LENGTHS[table])]
        chosen = {each for each in seen[table] if each[: len(prefix)] == prefix}
        doomed = cascade(seen, table, chosen, with_masters=policy == "cascade")
        refused = policy == "enforce" and (table in ("Trial", "Item") or orphans_masters(doomed))
        target = self.clients[client].tables[table]()
        names = target.heading.primary_key
        some = target & dict(zip(names, prefix, strict=False))
        deleted: list[int] = []

        def action() -> None:
            deleted.append(some.delete(prompt=False, part_integrity=policy))

        if self.attempt(action, PartIntegrityError if refused else None):
            assert deleted == [len(doomed[table])] if policy == "cascade" else [len(chosen)]
            changes = Changes()
            for name, keys in doomed.items():
                for each in keys:
                    changes.remove(name, each)
            self.world.apply(client, changes)

    @rule(client=st.sampled_from(CLIENTS))
    def populate(self, client: int) -> None:
        if self.clients[client].transaction is not None:
            return
        seen = self.world.seen_by(client)
        count, item = (self.clients[client].tables[name]() for name in ("Count", "Item"))
        found = count.populate(suppress_errors=True, return_exception_objects=True)
        assert all(is_blocked(error) for _, error in found["errors"]), found
        missing = set(seen["Session"]) - set(seen["Count"])
        failed = {tuple(key.values()) for key, _ in found["errors"]}
        changes = Changes()
        for key in missing - failed:
            trials = [trial for trial in seen["Trial"] if trial[:2] == key]
            changes.write("Count", (*key, len(trials)))
            for trial in trials:
                changes.write("Item", trial)
        assert len(missing - failed) == found["success"]
        self.world.apply(client, changes)
        assert len(item) == len(self.world.seen_by(client)["Item"])

    @precondition(lambda self: self.extra < 3)
    @rule()
    def alter(self) -> None:
        client = self.clients[0]
        if client.transaction is not None:
            return
        subject = client.tables["Subject"]
        before = subject.definition
        subject.definition = before.rstrip() + f"\n        extra{self.extra} = null : int32\n        "
        if self.attempt(lambda: subject().alter(prompt=False, lock_timeout=0.1), None):
            self.extra += 1
        else:
            subject.definition = before

    # what must hold

    @invariant()
    def committed_rows_are_those_of_the_model(self) -> None:
        if not hasattr(self, "clients"):
            return
        for name, table in self.clients[0].tables.items():
            width = 2 if name == "Subject" else 0
            found = rows_of(self.observer, table, width)
            assert found == sorted(self.world.committed[name].values(), key=repr), name

    @invariant()
    def clients_see_their_own_changes(self) -> None:
        if not hasattr(self, "clients"):
            return
        for number, client in enumerate(self.clients):
            if client.transaction is not None:
                seen = self.world.seen_by(number)
                for name in ("Subject", "Trial", "Note"):
                    found = rows_of(client.database, client.tables[name], 2 if name == "Subject" else 0)
                    assert found == sorted(seen[name].values(), key=repr), name


def rows_of(database: Database, table: Any, width: int) -> list[tuple[Any, ...]]:
    """The rows of a table, their first attributes only with `width`, as the server has them."""
    model = table().table_model
    names = ", ".join(f'"{name}"' for name in model.heading.names[: width or None])
    rows = database.query(f'SELECT {names} FROM "{model.name.schema}"."{model.name.table}"')
    return sorted(map(tuple, rows), key=repr)


@pytest.fixture
def machine(server_url: str, server_home: Any) -> Iterator[type[Promises]]:
    """The machine on the tests' server."""
    assert server_url
    Promises.home = server_home
    yield Promises
    del Promises.home


@pytest.mark.timeout(600)
def test_what_two_clients_do_at_once_keeps_every_promise(machine: type[Promises]) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A history takes a second: shrinking tries thousands.
            phases=[Phase.explicit, Phase.generate],
        ),
    )
