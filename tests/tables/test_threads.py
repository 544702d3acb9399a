"""Threads that share a database: each has its own connection, transaction and view."""

import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import Any

import psycopg
import pytest

import djflow as dj
from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.tables.schema import Schema

_THREADS = 8


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        thread = 0 : int32
        """

    return Subject()


def together(task: Callable[[int], object], threads: int = _THREADS) -> list[Any]:
    """What a task gives in threads that begin at the same moment."""
    barrier = Barrier(threads)

    def begun(thread: int) -> object:
        barrier.wait()
        return task(thread)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(begun, range(threads)))


def test_threads_that_commit_and_roll_back_at_once_keep_what_they_committed(subject: Any) -> None:
    database = subject.connection

    def work(thread: int) -> None:
        for n in range(10):
            first = 1000 * thread + 10 * n
            try:
                with database.transaction:
                    subject.insert([(first, thread), (first + 1, thread)])
                    with database.transaction:
                        subject.insert1((first + 2, thread))
                    assert len(subject & {"thread": thread}) == 3 * (n // 2 + n % 2) + 3
                    _ = 1 / (1 - n % 2)
            except ZeroDivisionError:
                assert not database.in_transaction

    together(work)
    expected = [
        1000 * thread + 10 * n + k for thread in range(_THREADS) for n in range(0, 10, 2) for k in range(3)
    ]
    assert subject.to_arrays("subject").tolist() == expected


def test_threads_that_read_while_others_write_see_whole_transactions(subject: Any) -> None:
    database, over = subject.connection, Event()

    def work(thread: int) -> None:
        if thread >= 4:
            while not over.is_set():
                assert subject.to_polars().height % 100 == 0
                assert len(subject) % 100 == 0
                assert sum(batch.num_rows for batch in subject.to_batches()) % 100 == 0
            return
        try:
            for n in range(5):
                with database.transaction:
                    for half in range(2):
                        rows = [(10_000 * thread + 100 * n + 50 * half + k, thread) for k in range(50)]
                        subject.insert(rows)
        finally:
            if thread == 0:
                over.set()

    together(work)
    assert len(subject) == 2000


def test_a_streaming_thread_is_not_disturbed_by_the_others(subject: Any) -> None:
    subject.insert([(n, 0) for n in range(20_000)])

    def work(thread: int) -> int:
        if thread % 2:
            for n in range(5):
                subject.insert1((100_000 + 100 * thread + n, thread))
            return 20_000
        return sum(1 for row in subject & {"thread": 0} if row["subject"] >= 0)

    assert together(work) == [20_000] * _THREADS


def test_threads_that_use_new_tables_first_at_once_make_them_once(schema: Schema) -> None:
    @schema
    class Subject(dj.Lookup):
        definition = "subject : int32"
        contents = ((1,), (2,))

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        """

    def work(thread: int) -> int:
        Session().insert1((1, thread))
        return len(Subject())

    assert together(work) == [2] * _THREADS
    assert len(Session()) == _THREADS


def test_threads_see_the_catalog_as_their_transaction_does(subject: Any, schema: Schema) -> None:
    database, added, seen = subject.connection, Event(), Event()
    extra = TableName(schema.database, "extra")
    assert not subject

    def change() -> None:
        with pytest.raises(ZeroDivisionError), database.transaction:  # noqa: PT012 - the block is the transaction
            database.query(f'CREATE TABLE "{schema.database}".extra (a int PRIMARY KEY)')
            assert extra in database.catalog([schema.database])
            assert extra in database.whole_catalog()
            added.set()
            seen.wait()
            raise ZeroDivisionError
        assert extra not in database.catalog([schema.database])

    with ThreadPoolExecutor(1) as pool:
        changed = pool.submit(change)
        added.wait()
        try:
            assert extra not in database.catalog([schema.database])
            assert extra not in database.whole_catalog()
        finally:
            seen.set()
        changed.result()


def test_no_two_threads_share_a_connection(database: Database) -> None:
    def pid(_: int) -> int:
        return int(database.query("SELECT pg_backend_pid() FROM pg_sleep(0.2)")[0][0])

    assert len(set(together(pid))) == _THREADS


def test_a_thread_that_has_ended_keeps_no_connection(
    database: Database, connection: psycopg.Connection[Any]
) -> None:
    pids: list[int] = []
    thread = Thread(target=lambda: pids.append(database.query("SELECT pg_backend_pid()")[0][0]))
    thread.start()
    thread.join()
    del thread
    gc.collect()
    database.query("SELECT 1")
    for _ in range(100):
        if not connection.execute("SELECT 1 FROM pg_stat_activity WHERE pid = ANY(%s)", [pids]).fetchall():
            return
        connection.execute("SELECT pg_sleep(0.05)")
    raise AssertionError


def test_closing_a_database_while_threads_use_it_breaks_nothing_for_long(subject: Any) -> None:
    database, over = subject.connection, Event()
    assert not subject

    def work(thread: int) -> int:
        if thread == 0:
            for _ in range(5):
                database.close()
            over.set()
            return 0
        failures = 0
        while not over.is_set():
            try:
                assert len(subject) == 0
            except dj.errors.DjflowError:
                failures += 1
        return failures

    together(work, 4)
    assert len(subject) == 0
    assert not database.in_transaction
