"""Locks, rights, lost connections, interrupts, and tables that change while they are watched."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
from djflow.backend.unmodelled import unmodelled_facts
from djflow.configuration import changed, load
from djflow.errors import AccessError, LostConnectionError, MissingTableError, QueryError, WatchBlockedError
from djflow.pipeline.watch import Change, Watch
from djflow.relation.database import Database
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema

Traces = Callable[[], tuple[int, int]]
SOON = 20.0


def watch(subject: Any, patience: float = SOON) -> Watch:
    return Watch(subject.connection, [subject.table_model], patience=patience)


def everything(subject: Any) -> list[Change]:
    return [Change(subject.table_model.name, None)]


# locks


def test_who_keeps_a_table_locked_is_named(subject: Any, traces: Traces, server_url: str) -> None:
    with psycopg.connect(server_url, application_name="the other one") as other:
        other.execute(f"INSERT INTO {subject.full_table_name} VALUES (1, 'ann')".encode())
        with pytest.raises(WatchBlockedError, match="the other one") as caught, watch(subject, 0.3):
            pass
        process = other.info.backend_pid
    assert caught.value.table == str(subject.table_model.name)
    assert f"process {process} of " in caught.value.blockers[0]
    assert traces() == (0, 0)


def test_nobody_waits_long_behind_a_watcher_that_waits(subject: Any, server_url: str) -> None:
    def inserted() -> None:
        for n in range(2, 12):
            subject.insert1((n, "ben", None))
            time.sleep(0.02)

    with psycopg.connect(server_url) as other:
        other.execute(f"INSERT INTO {subject.full_table_name} VALUES (1, 'ann')".encode())
        writer = threading.Thread(target=inserted)
        writer.start()
        with pytest.raises(WatchBlockedError), watch(subject, 3):
            pass
        writer.join(SOON)
        assert not writer.is_alive()  # although the other one has its lock yet
        assert len(subject) == 10


def test_a_lock_that_is_released_in_time_is_no_obstacle(subject: Any, server_url: str) -> None:
    with psycopg.connect(server_url) as other:
        other.execute(f"INSERT INTO {subject.full_table_name} VALUES (1, 'ann')".encode())
        release = threading.Timer(0.3, other.commit)
        release.start()
        with watch(subject) as watching:
            assert len(subject) == 1
            assert watching.changes(0) == []
        release.join()


def test_a_reader_does_not_keep_others_from_watching(subject: Any, server_url: str) -> None:
    with psycopg.connect(server_url) as other:
        other.execute(f"SELECT * FROM {subject.full_table_name}".encode())
        watching = watch(subject, 0.5).__enter__()
    watching.__exit__(None, None, None)


def test_a_trigger_that_cannot_be_removed_goes_with_the_next_watcher(
    subject: Any, traces: Traces, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("djflow.pipeline.watch.watch._LEAVING", 0.2)
    with psycopg.connect(server_url) as other:
        with watch(subject):
            other.execute(f"SELECT * FROM {subject.full_table_name}".encode())
        other.execute(f"INSERT INTO {subject.full_table_name} VALUES (1, 'ann')".encode())
    assert traces() == (1, 1)
    with watch(subject):
        pass
    assert traces() == (0, 0)


def test_nothing_is_watched_inside_of_a_transaction(subject: Any, database: Database) -> None:
    with database.transaction, pytest.raises(QueryError, match="outside of a transaction"), watch(subject):
        pass


def test_a_table_that_does_not_exist_is_named(subject: Any, traces: Traces) -> None:
    subject.drop(prompt=False)
    with (
        pytest.raises(MissingTableError, match=r"\.subject "),
        watch(FreeTable(subject.connection, subject.table_model)),
    ):
        pass
    assert traces() == (0, 0)


# rights


@pytest.fixture
def reader(subject: Any, server_url: str, database: Database) -> Iterator[FreeTable]:
    """The table as a role sees it that may select, and insert, and no more."""
    role, name = f"role_{uuid4().hex[:8]}", subject.table_model.name
    server = conninfo_to_dict(server_url)
    where = {"host": server["host"], "port": int(server["port"] or 5432), "name": server["dbname"]}
    settings = changed(database.settings, {"database": {**where, "user": role}})
    with psycopg.connect(server_url, autocommit=True) as admin:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f"GRANT USAGE ON SCHEMA {name.schema} TO {role}",
            f"GRANT SELECT ON {subject.full_table_name} TO {role}",
        ):
            admin.execute(statement.encode())
        seen = Database(lambda: settings)
        yield FreeTable(seen, subject.table_model)
        seen.close()
        admin.execute(f"DROP OWNED BY {role}".encode())
        admin.execute(f"DROP ROLE {role}".encode())


def test_who_may_insert_and_no_more_is_not_hindered(
    subject: Any, reader: FreeTable, connection: "psycopg.Connection[Any]"
) -> None:
    name, role = subject.full_table_name, reader.connection.settings.database.user
    connection.execute(f"REVOKE SELECT ON {name} FROM {role}".encode())
    connection.execute(f"GRANT INSERT ON {name} TO {role}".encode())
    with watch(subject) as watching:
        reader.connection.query(f"INSERT INTO {name} VALUES (1, 'ann')")
        [change] = watching.changes(SOON)
        assert change.keys is not None
        assert change.keys.rows() == [(1, "ann")]


def test_the_right_that_a_role_lacks_is_named(subject: Any, reader: FreeTable, traces: Traces) -> None:
    with pytest.raises(AccessError, match="ownership on table") as caught, watch(reader):
        pass
    name = subject.table_model.name
    assert caught.value.role == reader.connection.settings.database.user
    assert caught.value.missing == (("ownership", f"table {name}"), ("CREATE", f"schema {name.schema}"))
    assert traces() == (0, 0)


def test_who_may_not_make_a_trigger_can_watch_while_the_owner_does(
    subject: Any, reader: FreeTable, traces: Traces
) -> None:
    with watch(subject) as own:
        with watch(reader) as watching:
            subject.insert1((1, "ann", None))
            assert len(watching.changes(SOON)) == len(own.changes(SOON)) == 1
        assert traces() == (1, 1)
    assert traces() == (0, 0)


# lost connections


def terminate(subject: Any) -> None:
    """End the connections that listen for a table."""
    ended = subject.connection.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        " AND (classid::bigint << 32) | objid::bigint ="
        " hashtextextended('djflow watch', $1::regclass::bigint)",
        (subject.full_table_name,),
    )
    assert ended == [(True,)]


def test_after_a_lost_connection_everything_may_have_changed(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        terminate(subject)
        subject.insert1((1, "ann", None))
        assert watching.changes(SOON) == everything(subject)
        subject.insert1((2, "ben", None))
        [change] = watching.changes(SOON)
        assert change.keys is not None
        assert change.keys.rows() == [(2, "ben")]
        terminate(subject)
    assert traces() == (0, 0)


def test_a_trigger_removed_while_the_connection_was_lost_is_made_again(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        terminate(subject)
        with watch(subject):
            pass
        assert traces() == (0, 0)
        assert watching.changes(SOON) == everything(subject)
        subject.insert1((2, "ben", None))
        assert len(watching.changes(SOON)) == 1
    assert traces() == (0, 0)


def test_a_connection_is_not_opened_again_where_the_settings_forbid_it(
    subject: Any, database: Database
) -> None:
    settings = changed(database.settings, {"database": {"reconnect": False}})
    other = Database(lambda: settings)
    with watch(FreeTable(other, subject.table_model)) as watching:
        terminate(subject)
        with pytest.raises(LostConnectionError):
            watching.changes(SOON)
    other.close()


def test_a_server_that_stops_is_waited_for(tmp_path: Path) -> None:
    settings = load({"DJFLOW_HOME": str(tmp_path / "home"), "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path)
    server = EmbeddedServer(tmp_path / "home", settings=FAST_UNSAFE_SETTINGS)
    where = conninfo_to_dict(server.acquire())
    there = {"host": where["host"], "port": int(where["port"] or 5432), "name": where["dbname"]}
    remote = changed(settings, {"database": {**there, "user": where["user"]}})
    database = Database(lambda: remote)  # which does not start the server by itself
    schema = Schema("lab", connection=database)

    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    subject: Any = Subject()
    with watch(subject) as watching:
        assert server.stop()
        assert watching.changes(0.3) == []
        assert watching.changes(0) == []
        server.acquire()
        assert watching.changes(SOON) == everything(subject)
        subject.insert1((2,))
        [change] = watching.changes(SOON)
        assert change.keys is not None
        assert change.keys.rows() == [(2,)]
        server.stop()
    database.close()
    server.release()


def test_a_server_of_ones_own_is_started_again(tmp_path: Path) -> None:
    settings = load({"DJFLOW_HOME": str(tmp_path / "home"), "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path)
    database = Database(lambda: settings)
    schema = Schema("lab", connection=database)

    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

    subject: Any = Subject()
    with watch(subject) as watching:
        EmbeddedServer(tmp_path / "home").stop()
        assert watching.changes(SOON) == everything(subject)
        subject.insert1((2,))
        assert len(watching.changes(SOON)) == 1
    database.close()


# interrupts


def test_an_interrupt_leaves_a_watch_usable(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        for _ in range(3):
            timer = threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT])
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                watching.changes(SOON)
            timer.join()
            assert watching.changes(SOON) == everything(subject)
        subject.insert1((1, "ann", None))
        [change] = watching.changes(SOON)
        assert change.keys is not None
    assert traces() == (0, 0)


def test_a_watch_tells_nothing_outside_of_its_block(subject: Any) -> None:
    watching = watch(subject)
    with pytest.raises(QueryError, match="with Watch"):
        watching.changes(0)
    with watching:
        pass
    with pytest.raises(QueryError, match="with Watch"):
        watching.changes(0)


# tables that change


def test_the_trigger_shows_in_no_description(subject: Any, schema: Schema) -> None:
    before = subject.describe(), schema.save(), unmodelled_facts(schema.connection.session, schema.database)
    with watch(subject):
        catalog = schema.connection.catalog([schema.database])
        assert catalog[subject.table_model.name] == subject.table_model
        found = unmodelled_facts(schema.connection.session, schema.database)
        assert (subject.describe(), schema.save(), found) == before
        assert [table.table_name for table in schema] == ["subject"]


def test_a_watched_table_can_be_altered(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        type(subject).definition = """
        subject : int64
        name : varchar(40)
        ---
        mass = null : float64
        remark = '' : varchar(100)
        """
        subject.alter(prompt=False, renames={"weight": "mass"})
        subject.insert1({"subject": 2**40, "name": "ann", "mass": 1.5})
        assert watching.changes(SOON) == everything(subject)  # the key has other types than were known
    assert traces() == (0, 0)
    with watch(subject) as watching:
        subject.insert1({"subject": 2**41, "name": "ann"})
        assert len(watching.changes(SOON)) == 1


def test_a_watched_table_can_be_dropped(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        subject.drop(prompt=False)
        assert watching.changes(0.1) == []
    assert traces() == (0, 0)


def test_a_watched_schema_can_be_dropped(subject: Any, schema: Schema) -> None:
    with watch(subject) as watching:
        schema.drop(prompt=False)
        assert watching.changes(0.1) == []


def test_a_table_that_is_made_again_is_watched_again(
    subject: Any, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("djflow.pipeline.watch.watch._LOOK", 0.05)
    with watch(subject) as watching:
        subject.connection.query(f"ALTER TABLE {subject.full_table_name} RENAME TO earlier")
        subject.connection.query(
            f"CREATE TABLE {subject.full_table_name} (LIKE {subject.table_model.name.schema}.earlier"
            " INCLUDING ALL)"
        )
        assert watching.changes(SOON) == everything(subject)
        subject.insert1((1, "ann", None))
        assert len(watching.changes(SOON)) == 1
    assert traces() == (0, 0)


def test_a_trigger_that_was_switched_off_or_dropped_is_made_again(
    subject: Any, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("djflow.pipeline.watch.watch._LOOK", 0.05)
    with watch(subject) as watching:
        for n, change in enumerate(("DISABLE TRIGGER ALL", "DISABLE TRIGGER USER")):
            subject.connection.query(f"ALTER TABLE {subject.full_table_name} {change}")
            assert watching.changes(SOON) == everything(subject)
            subject.insert1((n, "ann", None))
            assert len(watching.changes(SOON)) == 1
        subject.connection.query(f'DROP TRIGGER "~watch_insert" ON {subject.full_table_name}')
        assert watching.changes(SOON) == everything(subject)
    assert traces() == (0, 0)


def test_a_forked_child_hears_on_a_connection_of_its_own(subject: Any, traces: Traces) -> None:
    with watch(subject) as watching:
        child = os.fork()
        if not child:
            heard = watching.changes(SOON) == everything(subject)
            os._exit(0 if heard else 1)
        assert os.waitpid(child, 0)[1] == 0
        subject.insert1((1, "ann", None))
        [change] = watching.changes(SOON)
        assert change.keys is not None
    assert traces() == (0, 0)


def test_an_archive_of_a_watched_table_is_restored_without_its_trigger(
    subject: Any, schema: Schema, traces: Traces, tmp_path: Path
) -> None:
    subject.insert1((1, "ann", None))
    with watch(subject):
        summary = schema.dump(tmp_path / "archive")
        assert summary.not_kept == {}
    subject.drop(prompt=False)
    dj.restore(tmp_path / "archive", connection=schema.connection)
    assert len(subject) == 1
    assert traces() == (0, 0)
