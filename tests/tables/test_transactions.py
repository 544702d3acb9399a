"""What commits together, what survives, and who sees it."""

import multiprocessing
import os
import sys
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.configuration import changed
from djflow.errors import DuplicateError, IntegrityError
from djflow.relation.database import Database
from djflow.tables.schema import Schema

_END_OTHERS = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'
"""


@pytest.fixture
def alone(database: Database, empty_url: str) -> Iterator[Database]:
    """A database that no other test uses, so that its connections can be ended."""
    there = conninfo_to_dict(empty_url)
    login = {"host": there["host"], "port": int(there["port"] or 0), "user": there["user"]}
    settings = changed(database.settings, {"database": login | {"name": there["dbname"]}})
    opened = Database(lambda: settings)
    yield opened
    opened.close()


def end_connections(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_END_OTHERS)


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        trace = null : <npy@>
        """

    return Subject()


def numbers(relation: Any) -> list[int]:
    found: list[int] = relation.to_arrays("subject").tolist()
    return found


def files(tmp_path: Path) -> int:
    return sum(path.is_file() for path in (tmp_path / "store").rglob("*"))


def test_a_transaction_keeps_all_or_nothing(subject: Any) -> None:
    database = subject.connection
    with database.transaction:
        subject.insert1({"subject": 1})
        subject.insert1({"subject": 2})
        assert database.in_transaction
        assert numbers(subject) == [1, 2]
    with pytest.raises(ZeroDivisionError), database.transaction:  # noqa: PT012 - the block is the transaction
        subject.insert1({"subject": 3})
        _ = 1 / 0
    assert not database.in_transaction
    assert numbers(subject) == [1, 2]


def test_a_transaction_inside_another_is_a_savepoint(subject: Any) -> None:
    with subject.connection.transaction:
        subject.insert1({"subject": 1})
        with pytest.raises(ZeroDivisionError), subject.connection.transaction:  # noqa: PT012 - the block is the transaction
            subject.insert1({"subject": 2})
            _ = 1 / 0
        subject.insert1({"subject": 3})
    assert numbers(subject) == [1, 3]


def test_an_error_that_is_caught_inside_a_transaction_is_survived(subject: Any) -> None:
    subject.insert1({"subject": 1})
    with subject.connection.transaction:
        subject.insert1({"subject": 2})
        for rows in ([{"subject": 1}], [{"subject": 5}, {"subject": 2}]):
            with pytest.raises(DuplicateError):
                subject.insert(rows)
        with pytest.raises(dj.errors.QueryError):
            subject.connection.query("SELECT 1/0")
        assert numbers(subject) == [1, 2]
        subject.insert1({"subject": 3})
    assert numbers(subject) == [1, 2, 3]


def test_objects_go_with_the_transaction_that_wrote_them(subject: Any, tmp_path: Path) -> None:
    with subject.connection.transaction:
        subject.insert1({"subject": 1, "trace": np.zeros(3)})
        with pytest.raises(ZeroDivisionError), subject.connection.transaction:  # noqa: PT012 - the block is the transaction
            subject.insert1({"subject": 2, "trace": np.zeros(3)})
            _ = 1 / 0
        assert files(tmp_path) == 1
    with pytest.raises(ZeroDivisionError), subject.connection.transaction:  # noqa: PT012 - the block is the transaction
        with subject.connection.transaction:
            subject.insert1({"subject": 3, "trace": np.zeros(3)})
        assert files(tmp_path) == 2
        _ = 1 / 0
    assert files(tmp_path) == 1
    assert (subject & {"subject": 1}).fetch1("trace").load().tolist() == [0, 0, 0]


def test_a_long_session_remembers_no_finished_transaction(subject: Any) -> None:
    for n in range(3):
        subject.insert1({"subject": n, "trace": np.zeros(3)})
    session = subject.connection.session
    with session.transaction():
        assert session._thread.undo == []


def test_eight_threads_in_transactions_each_land_their_rows(subject: Any) -> None:
    barrier = Barrier(8)

    def write(thread: int) -> None:
        barrier.wait()
        for n in range(5):
            with subject.connection.transaction:
                subject.insert1({"subject": 100 * thread + n})
                subject.insert1({"subject": 100 * thread + n + 50})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert len(subject) == 80


def test_a_thread_does_not_see_what_another_has_not_committed(subject: Any) -> None:
    assert not subject
    with ThreadPoolExecutor(1) as pool, subject.connection.transaction:
        subject.insert1({"subject": 1})
        assert len(subject) == 1
        assert pool.submit(len, subject).result() == 0


def test_threads_that_have_ended_leave_no_connection_open(subject: Any) -> None:
    for n in range(20):
        thread = Thread(target=subject.insert1, args=({"subject": n},))
        thread.start()
        thread.join()
    assert len(subject) == 20
    assert len(subject.connection.session._every) <= 3


def _insert_in_child(subject: Any, number: int) -> None:
    assert not subject.connection.in_transaction
    subject.insert1({"subject": number})
    assert number in numbers(subject)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_forked_children_use_connections_of_their_own(subject: Any) -> None:
    subject.insert1({"subject": 0})
    assert subject.to_polars().height == 1
    context = multiprocessing.get_context("fork")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks among threads
        children = [context.Process(target=_insert_in_child, args=(subject, n)) for n in (1, 2, 3)]
        with subject.connection.transaction:
            subject.insert1({"subject": 9})
            for child in children:
                child.start()
            for child in children:
                child.join()
            assert numbers(subject) == [0, 1, 2, 3, 9]
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert numbers(subject) == [0, 1, 2, 3, 9]
    assert subject.to_polars().height == 5


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_fork_that_ends_does_not_end_the_parents_connections(subject: Any) -> None:
    subject.insert1({"subject": 0})
    assert subject.to_polars().height == 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            subject.insert1({"subject": 1})
            subject.connection.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    with subject.connection.transaction:
        subject.insert1({"subject": 2})
    assert subject.to_polars().height == 3


def test_a_session_reconnects_after_its_connection_was_ended(alone: Database, empty_url: str) -> None:
    made: Any = Schema("lab", connection=alone)(
        type("Subject", (dj.Manual,), {"definition": "subject : int32"})
    )
    subject = made()
    subject.insert1({"subject": 1})
    assert subject.to_polars().height == 1
    actions = (
        lambda: len(subject),
        lambda: subject.insert1({"subject": 2}),
        subject.to_polars,
        lambda: subject.connection.query("SELECT 1"),
        lambda: subject.fetch1("subject") if len(subject) == 1 else (subject & {"subject": 1}).fetch1(),
    )
    for action in actions:
        end_connections(empty_url)
        action()
    assert numbers(subject) == [1, 2]


def test_a_connection_that_ends_inside_a_transaction_loses_the_whole_of_it(
    subject: Any, connection: Any
) -> None:
    subject.insert1({"subject": 1})
    database = subject.connection
    with pytest.raises(dj.errors.LostConnectionError, match="rolled back"), database.transaction:  # noqa: PT012 - the block is the transaction
        subject.insert1({"subject": 2})
        pid = database.query("SELECT pg_backend_pid()")[0][0]
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        subject.insert1({"subject": 3})
    assert not database.in_transaction
    assert numbers(subject) == [1]


def test_keys_are_checked_when_rows_go_in(schema: Schema, subject: Any) -> None:
    Subject = type(subject)  # noqa: N806 - a class

    @schema
    class Session(dj.Manual):
        definition = "-> Subject"

    with subject.connection.transaction:
        with pytest.raises(IntegrityError):
            Session().insert1((1,))
        subject.insert1({"subject": 1})
        Session().insert1((1,))
    assert len(Session() & Subject()) == 1
