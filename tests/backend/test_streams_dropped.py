"""A stream that is dropped before its last row ends at the server, wherever and however that happens."""

import gc
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pyarrow as pa
import pytest
from adbc_driver_manager import dbapi
from psycopg.conninfo import make_conninfo

from djflow.backend.adbc import AdbcPool, Reading
from djflow.errors import QueryError

if TYPE_CHECKING:
    import psycopg

ROWS = "SELECT n, repeat('x', 1000) AS note FROM generate_series(1, 20000) AS n"


@pytest.fixture
def name() -> str:
    """By what the server knows the readers of one test."""
    return f"test_{uuid4().hex[:12]}"


@pytest.fixture
def pool(server_url: str, name: str) -> Iterator[AdbcPool]:
    opened = AdbcPool(make_conninfo(server_url, application_name=name), "the tests' server")
    yield opened
    opened.close()


def begun(pool: AdbcPool) -> Iterator[pa.RecordBatch]:
    """A stream of which one batch has come, and the server waits to send more."""
    stream = pool.stream(Reading(ROWS), batch_bytes=1 << 20)
    assert 0 < next(stream).num_rows < 20_000
    return stream


def wait_until_ended(connection: "psycopg.Connection[Any]", name: str) -> None:
    sql = "SELECT pid, state FROM pg_stat_activity WHERE application_name = %s"
    deadline = time.monotonic() + 20
    while found := connection.execute(sql, (name,)).fetchall():
        assert time.monotonic() < deadline, found


def test_a_stream_ends_when_another_thread_drops_it(
    pool: AdbcPool, connection: "psycopg.Connection[Any]", name: str
) -> None:
    held = [begun(pool)]
    thread = threading.Thread(target=held.clear)
    thread.start()
    thread.join()
    wait_until_ended(connection, name)


def test_a_stream_ends_when_it_is_found_in_a_cycle(
    pool: AdbcPool, connection: "psycopg.Connection[Any]", name: str
) -> None:
    cycle: list[Any] = [begun(pool)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    wait_until_ended(connection, name)


def test_a_stream_ends_where_python_frees_memory_inside_of_the_pool(
    pool: AdbcPool, connection: "psycopg.Connection[Any]", name: str
) -> None:
    held = [begun(pool)]
    with pool._lock:
        held.clear()
    wait_until_ended(connection, name)


def test_a_stream_ends_though_it_is_interrupted_while_it_closes(
    pool: AdbcPool, connection: "psycopg.Connection[Any]", name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, interrupts = dbapi.Cursor.close, [KeyboardInterrupt]

    def interrupted(cursor: dbapi.Cursor) -> None:
        if interrupts:
            raise interrupts.pop()
        close(cursor)

    stream = begun(pool)
    monkeypatch.setattr(dbapi.Cursor, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        stream.close()  # type: ignore[attr-defined]
    wait_until_ended(connection, name)


def test_a_stream_ends_that_the_server_has_cancelled(
    pool: AdbcPool, connection: "psycopg.Connection[Any]", name: str
) -> None:
    stream = begun(pool)
    sql = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
    assert connection.execute(sql, (name,)).fetchall() == [(True,)]
    with pytest.raises(QueryError, match="cancel"):
        list(stream)
    wait_until_ended(connection, name)
