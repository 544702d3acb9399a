"""Objects are recorded before they are written; whatever becomes of the writer, they are known."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
import pytest
from tests.tables.objects.lab import Lab
from tests.tables.objects.victim import STEPS

from djflow.configuration import changed
from djflow.errors import AccessError, DuplicateError, LostConnectionError, QueryError, StorageError
from djflow.gc import GarbageCollector
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store
from djflow.tables.free import FreeTable
from djflow.tables.objects import journal
from djflow.tables.objects.aside import aside
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

if TYPE_CHECKING:
    import psycopg

ROOT = Path(__file__).parents[3]


class Watched(SchemaCodec):
    """Texts; `watch` is called while each is about to be written."""

    name = "watched_example"
    watch: Any = None

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        type(self).watch(path)
        store.put(path, value.encode())
        return {}

    def open(self, reference: Mapping[str, Any], store: Store) -> Any:
        return store.get(reference["path"]).decode()


@pytest.fixture
def watched(schema: Schema) -> Manual:
    """A table of watched texts."""

    @schema
    class Page(Manual):
        definition = """
        page : int32
        ---
        text : <watched_example@>
        """

    schema.create()
    return Page()


def test_an_object_is_recorded_for_all_to_see_before_it_is_written(
    watched: Manual, connection: "psycopg.Connection[Any]", schema_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, list[Any]] = {}

    def watch(path: str) -> None:
        query = f'SELECT store, kind FROM {quote(schema_name)}."~objects" WHERE path = %s'
        seen[path] = connection.execute(query.encode(), [path]).fetchall()

    monkeypatch.setattr(Watched, "watch", watch)
    watched.insert([(1, "a")])

    assert list(seen.values()) == [[("local", "owned")]]


def test_a_rollback_removes_objects_with_their_records(lab: Lab) -> None:
    lab.insert(1)
    before = lab.stored(), lab.recorded()

    with pytest.raises(DuplicateError):
        lab.insert(2, 1)

    assert (lab.stored(), lab.recorded()) == before


def test_what_a_savepoint_rolls_back_goes_and_the_rest_stays(lab: Lab) -> None:
    with lab.database.transaction:
        lab.insert(1)
        with pytest.raises(DuplicateError):
            lab.insert(2, 1)

    assert lab.recorded() == lab.stored()
    assert lab.recording().verify().is_empty()
    assert len(lab.recording()) == 1


def test_contents_of_a_rolled_back_insert_stay_until_they_are_collected(lab: Lab) -> None:
    lab.insert(1)
    with pytest.raises(DuplicateError):
        lab.insert(2, 1, note="never there")
    assert len(lab.stored()) == 3

    lab.collector().collect(dry_run=False)

    assert len(lab.stored()) == 2
    assert lab.recording().verify().is_empty()


def test_objects_of_an_open_transaction_are_left_alone(lab: Lab) -> None:
    lab.insert(1)
    with _another_inserting(lab):
        assert len(lab.stored()) == 4
        assert lab.collector().plan().is_empty()
        assert lab.collector().collect(dry_run=False)["quarantined"] == 0

    assert lab.recording().verify().is_empty()
    assert len(lab.recording()) == 2


@contextmanager
def _another_inserting(lab: Lab) -> Iterator[None]:
    """Another thread has inserted a row, and commits at the end."""
    written, goes_on = Event(), Event()

    def insert() -> None:
        with lab.database.transaction:
            lab.insert(7, note="new")
            written.set()
            goes_on.wait(30)

    thread = Thread(target=insert)
    thread.start()
    assert written.wait(30)
    try:
        yield
    finally:
        goes_on.set()
        thread.join()


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_writer_leaves_nothing_that_a_collection_does_not_find(
    lab: Lab, process_environment: Mapping[str, str], step: str
) -> None:
    lab.insert(1)
    before = lab.stored()
    root = lab.store.local_path("_schema")
    assert root is not None

    command = [sys.executable, "-m", "tests.tables.objects.victim", lab.schema.database, str(root.parent)]
    ended = subprocess.run(
        [*command, step], env=process_environment, cwd=ROOT, check=False, capture_output=True, timeout=60
    )
    assert ended.returncode == -9, ended.stderr.decode()
    _wait_for_the_end_of(lab)

    assert lab.recording().verify().is_empty()
    assert lab.stored() <= lab.recorded()
    lab.collector().collect(dry_run=False)
    if step == "after the commit":
        assert len(lab.recording()) == 2
        assert len(lab.stored()) == 4
    else:
        assert lab.stored() == lab.recorded() == before
    assert lab.recording().verify().is_empty()
    assert lab.collector().audit().is_empty()


def _wait_for_the_end_of(lab: Lab) -> None:
    """The server notices a moment later that a client is gone."""
    live = (
        f'SELECT FROM "{lab.schema.database}"."~objects", unnest(writers) w '
        "WHERE NOT pg_visible_in_snapshot(w, pg_current_snapshot())"
    )
    while lab.database.query(live):
        pass


def test_a_broken_connection_leaves_nothing_that_a_collection_does_not_find(lab: Lab) -> None:
    lab.insert(1)
    before = lab.stored()
    with pytest.raises(LostConnectionError):
        _insert_and_lose_the_connection(lab)

    assert lab.stored() == before == lab.recorded()


def _insert_and_lose_the_connection(lab: Lab) -> None:
    [(pid,)] = lab.database.query("SELECT pg_backend_pid()")
    with lab.database.transaction:
        lab.insert(2)
        killer = Thread(target=lab.database.query, args=["SELECT pg_terminate_backend($1, 5000)", (pid,)])
        killer.start()
        killer.join()


def test_objects_are_recorded_only_inside_a_transaction(lab: Lab) -> None:
    lab.insert(1)
    with pytest.raises(QueryError, match="inside the transaction"):
        journal.record_owned(lab.database, lab.schema.database, "local", ["_schema/x"])


def test_an_object_that_was_collected_while_it_was_written_is_no_longer_owned(lab: Lab) -> None:
    lab.insert(1)
    table = f'"{lab.schema.database}"."~objects"'
    lab.database.query(f"UPDATE {table} SET condemned_at = now() WHERE kind = 'owned'")
    (path,) = (path for path in lab.recorded() if path.startswith("_schema"))

    with (
        pytest.raises(StorageError, match="was removed by a collector while it was being written"),
        lab.database.transaction,
    ):
        journal.record_owned(lab.database, lab.schema.database, "local", [path])


def test_a_schema_made_in_the_same_transaction_keeps_its_own_record(
    database: Database, schema_name: str
) -> None:
    with database.transaction:
        schema = Schema(schema_name, connection=database)
        recording = schema(
            type("Recording", (Manual,), {"definition": "recording : int32\n---\ntrace : <npy@>"})
        )
        recording().insert([(1, np.arange(2))])
        recording().insert([(2, np.arange(2))])
    lab = Lab(schema, recording)
    recording().insert([(3, np.arange(2))])

    assert len(lab.recorded()) == 3
    assert lab.recorded() == lab.stored()
    assert lab.collector(timedelta(0)).plan().is_empty()


def test_several_writers_record_the_same_contents_at_once(lab: Lab) -> None:
    lab.insert(1)

    def insert(first: int) -> None:
        for note in ("a", "b", "c"):
            for number in range(first, first + 3):
                lab.recording().insert1((number, None, note), on_conflict="update")

    threads = [Thread(target=insert, args=[10 * i]) for i in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(lab.recording()) == 10
    assert lab.recording().verify().is_empty()


@pytest.fixture
def clerk(lab: Lab, server_url: str) -> "Iterator[tuple[Database, psycopg.Connection[Any], str]]":
    """A role that may insert rows, as it sees the database; an administrator; the role's name."""
    import psycopg

    lab.insert(1)
    role, schema = f"test_{uuid4().hex[:12]}", quote(lab.schema.database)
    with psycopg.connect(server_url, autocommit=True) as admin:
        for statement in (
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            f"GRANT USAGE ON SCHEMA {schema} TO {role}",
            f"GRANT SELECT, INSERT ON {schema}.recording TO {role}",
        ):
            admin.execute(statement.encode())
        database = _as_role(lab.database, server_url, role)
        yield database, admin, role
        database.close()
        admin.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode(), prepare=False)


def test_who_lacks_the_right_to_record_is_told_which(
    lab: Lab, clerk: "tuple[Database, psycopg.Connection[Any], str]"
) -> None:
    database, admin, role = clerk
    table = FreeTable(database, f"{lab.schema.database}.recording")
    with pytest.raises(AccessError, match=r"INSERT.*~objects"):
        table.insert([(2, np.arange(3), None)])
    assert len(lab.stored()) == 2

    admin.execute(f'GRANT ALL ON {quote(lab.schema.database)}."~objects" TO {role}'.encode())
    table.insert([(2, np.arange(3), None)])

    assert len(lab.recording()) == 2
    assert lab.recording().verify().is_empty()


def test_who_may_not_read_all_tables_with_references_collects_nothing(
    lab: Lab, clerk: "tuple[Database, psycopg.Connection[Any], str]"
) -> None:
    database, admin, role = clerk
    schema = quote(lab.schema.database)
    admin.execute(f'GRANT ALL ON {schema}."~objects" TO {role}'.encode())
    admin.execute(f"REVOKE SELECT ON {schema}.recording FROM {role}".encode())
    lab.delete()

    collector = GarbageCollector(
        SimpleNamespace(connection=database, database=lab.schema.database), grace=timedelta(0)
    )
    with pytest.raises(AccessError, match="SELECT"):
        collector.collect(dry_run=False)
    assert len(lab.stored()) == 2


def _as_role(database: Database, server_url: str, role: str) -> Database:
    """The same database and stores, for another role."""
    from psycopg.conninfo import conninfo_to_dict

    server = conninfo_to_dict(server_url)
    given = changed(
        database.settings,
        {
            "database": {
                "host": str(server["host"]),
                "port": int(server.get("port") or 5432),
                "name": str(server["dbname"]),
                "user": role,
                "password": "x",
            }
        },
    )
    return Database(lambda: given)


def test_a_database_that_is_closed_has_no_connection_left(
    lab: Lab, connection: "psycopg.Connection[Any]"
) -> None:
    lab.insert(1)
    session = lab.database.session
    pids = [each.execute("SELECT pg_backend_pid()")[0][0] for each in (session, aside(session))]

    lab.database.close()

    until = time.monotonic() + 30
    while connection.execute("SELECT FROM pg_stat_activity WHERE pid = ANY (%s)", [pids]).fetchall():
        assert time.monotonic() < until
        time.sleep(0.002)
    lab.insert(2)
