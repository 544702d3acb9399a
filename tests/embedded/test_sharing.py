"""Processes share one server, which lives exactly as long as one of them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
from djflow.errors import ServerError

StartClient = Callable[[], "subprocess.Popen[str]"]


def address(client: "subprocess.Popen[str]") -> str:
    assert client.stdout is not None
    return client.stdout.readline().strip()


def postmaster(uri: str) -> int:
    with contextlib.closing(psycopg.connect(uri)) as connection:
        row = connection.execute("SELECT pg_postmaster_start_time()::text, pg_backend_pid()").fetchone()
    assert row is not None
    return hash(row[0])


def wait_until_stopped(server: EmbeddedServer) -> None:
    folder = server.status().socket_folder
    while server.status().running or (folder is not None and (folder / ".s.PGSQL.5432").exists()):
        time.sleep(0.02)


def test_a_server_has_the_database_and_the_role_djflow(server: EmbeddedServer) -> None:
    with contextlib.closing(psycopg.connect(server.acquire())) as connection:
        query = (
            "SELECT current_database(), current_user, pg_encoding_to_char(encoding)"
            " FROM pg_database WHERE datname = current_database()"
        )
        assert connection.execute(query).fetchone() == ("djflow", "djflow", "UTF8")


def test_text_sorts_by_code_point_and_upper_case_reaches_beyond_ascii(server: EmbeddedServer) -> None:
    with contextlib.closing(psycopg.connect(server.acquire())) as connection:
        rows = connection.execute("SELECT x FROM unnest(ARRAY['b', 'B', 'ä', 'a']) x ORDER BY x").fetchall()
        assert [row[0] for row in rows] == ["B", "a", "b", "ä"]
        assert connection.execute("SELECT upper('ä')").fetchone() == ("Ä",)


def test_the_uri_works_for_the_arrow_driver(server: EmbeddedServer) -> None:
    from adbc_driver_postgresql import dbapi

    with dbapi.connect(server.acquire()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1::int2 AS one")
        assert cursor.fetch_arrow_table().to_pylist() == [{"one": 1}]


def test_acquiring_twice_gives_the_same_server(server: EmbeddedServer) -> None:
    first = server.acquire()
    started = postmaster(first)
    assert server.acquire() == first
    assert postmaster(first) == started


def test_releasing_stops_a_server_without_other_clients(server: EmbeddedServer) -> None:
    server.acquire()
    assert server.status().running
    server.release()
    wait_until_stopped(server)
    server.release()


def test_data_outlive_the_server(server: EmbeddedServer) -> None:
    with contextlib.closing(psycopg.connect(server.acquire(), autocommit=True)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS x")
    server.release()
    wait_until_stopped(server)
    with contextlib.closing(psycopg.connect(server.acquire())) as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (7,)


def test_a_client_that_comes_while_the_server_stops_gets_a_running_one(server: EmbeddedServer) -> None:
    for _ in range(5):
        uri = server.acquire()
        with contextlib.closing(psycopg.connect(uri)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        server.release()


def test_releasing_leaves_the_server_to_other_clients(
    server: EmbeddedServer, start_client: StartClient
) -> None:
    uri = address(start_client())
    assert server.acquire() == uri
    started = postmaster(uri)
    server.release()
    time.sleep(0.5)
    assert postmaster(uri) == started


def test_two_servers_on_one_home_are_two_clients(server: EmbeddedServer, home: Path) -> None:
    server.acquire()
    with EmbeddedServer(home) as other:
        server.release()
        time.sleep(0.5)
        assert other.status().running


def test_a_server_stops_when_its_only_client_is_killed(
    server: EmbeddedServer, start_client: StartClient
) -> None:
    client = start_client()
    assert address(client)
    assert server.status().running
    client.kill()
    wait_until_stopped(server)


def test_eight_simultaneous_starters_share_one_fresh_server(
    server: EmbeddedServer, start_client: StartClient
) -> None:
    clients = [start_client() for _ in range(8)]
    uris = [address(client) for client in clients]
    assert len({postmaster(uri) for uri in uris}) == 1
    for client in clients:
        client.kill()
    wait_until_stopped(server)


def test_threads_may_acquire_at_once(server: EmbeddedServer) -> None:
    uris: list[str] = []
    threads = [threading.Thread(target=lambda: uris.append(server.acquire())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert uris == [server.acquire()] * 4
    server.release()
    wait_until_stopped(server)


def test_a_forked_child_keeps_the_server_that_its_parent_has_released(home: Path) -> None:
    script = """
import os, sys, time
from pathlib import Path
from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings=FAST_UNSAFE_SETTINGS)
server.acquire()
reader, writer = os.pipe()
child = os.fork()
if child == 0:
    server.acquire()
    os.read(reader, 1)
    time.sleep(0.5)
    os._exit(0 if server.status().running else 1)
server.release()
os.write(writer, b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    subprocess.run([sys.executable, "-c", script, str(home)], check=True)
    wait_until_stopped(EmbeddedServer(home))


def test_a_killed_watcher_is_replaced_by_the_next_client(
    server: EmbeddedServer, start_client: StartClient
) -> None:
    first = start_client()
    assert address(first)
    users = os.fsencode(server.status().folder / "data.users")
    watchers = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and users in _command_line(entry)
    ]
    for watcher in watchers:
        os.kill(watcher, signal.SIGKILL)
    assert len(watchers) == 1
    second = start_client()
    assert address(second)
    first.kill()
    second.kill()
    wait_until_stopped(server)


def _command_line(process: Path) -> list[bytes]:
    try:
        return (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def test_stop_ends_a_server_that_others_use(server: EmbeddedServer, start_client: StartClient) -> None:
    uri = address(start_client())
    with contextlib.closing(psycopg.connect(uri)):
        assert server.stop()
        assert not server.status().running
        assert not server.stop()


def test_status_starts_nothing(server: EmbeddedServer, home: Path) -> None:
    status = server.status()
    assert not status.running
    assert status.pid is None
    assert not home.exists()


def test_settings_reach_the_server_as_they_are(home: Path) -> None:
    note = """it's "odd" \\ and # more"""
    server = EmbeddedServer(home, settings={**FAST_UNSAFE_SETTINGS, "djflow.note": note})
    with server, contextlib.closing(psycopg.connect(server.acquire())) as connection:
        query = "SELECT current_setting('djflow.note'), current_setting('fsync')"
        assert connection.execute(query).fetchone() == (note, "off")


def test_by_default_commits_are_durable(home: Path) -> None:
    with EmbeddedServer(home) as server, contextlib.closing(psycopg.connect(server.acquire())) as connection:
        names = ("fsync", "synchronous_commit", "full_page_writes")
        assert [connection.execute(f"SHOW {name}").fetchone() for name in names] == [("on",)] * 3


def test_a_database_of_another_name_is_made_when_it_is_first_asked_for(server: EmbeddedServer) -> None:
    for name in ("lab", 'the "odd" lab, 7/8 ä?'):
        for _ in range(2):
            with contextlib.closing(psycopg.connect(server.acquire(name))) as connection:
                assert connection.execute("SELECT current_database()").fetchone() == (name,)
    with contextlib.closing(psycopg.connect(server.acquire())) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("djflow",)


def test_several_who_ask_for_a_new_database_at_once_share_it(home: Path) -> None:
    uris: list[str] = []

    def ask() -> None:
        with EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS) as own:
            uris.append(own.acquire("lab"))

    with EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS):
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(uris) == 4
    assert len(set(uris)) == 1


def test_a_name_that_the_server_would_cut_is_refused(server: EmbeddedServer) -> None:
    with pytest.raises(ServerError, match="64 bytes"):
        server.acquire("x" * 64)
