"""Transactions on a session: isolation, retries, errors that are survived, connections that break."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from psycopg.conninfo import conninfo_to_dict

from djflow.backend.retry import pause, run_in_transaction
from djflow.backend.session import Session
from djflow.backend.transaction import Isolation
from djflow.configuration import changed
from djflow.errors import (
    DeadlockError,
    DjflowError,
    DuplicateError,
    InvalidArgumentError,
    LostConnectionError,
    OutcomeUnknownError,
    QueryError,
    RetryableError,
    SerializationError,
)
from djflow.planner.settings import plan_settings
from djflow.relation.database import Database

NUMBERS = pa.schema([("n", pa.int64())])
MANY = plan_settings("SELECT n FROM generate_series(1::bigint, 10000000) n", ())


@pytest.fixture
def session(database: Database, empty_url: str) -> Iterator[Session]:
    """A session in a database of its own, which has a table `t` of numbers."""
    there = conninfo_to_dict(empty_url)
    login = {"host": there["host"], "port": int(there["port"] or 0), "user": there["user"]}
    with Session(changed(database.settings, {"database": login | {"name": there["dbname"]}})) as session:
        session.execute("CREATE TABLE t (n int PRIMARY KEY)")
        yield session


def numbers(session: Session) -> list[int]:
    return [n for (n,) in session.execute("SELECT n FROM t ORDER BY n")]


def insert(session: Session, n: int) -> None:
    session.execute("INSERT INTO t VALUES ($1)", [n])


def elsewhere(action: Callable[[], object]) -> None:
    """Call in another thread, and so on another connection."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:  # noqa: BLE001 - it is raised where the test sees it
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def end(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


@contextmanager
def soon(action: Callable[[], object]) -> Iterator[None]:
    """An action is taken in another thread while the block runs."""
    timer = threading.Timer(0.3, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()


# isolation


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
def test_a_transaction_has_the_isolation_that_was_asked_for(session: Session, isolation: Isolation) -> None:
    with session.transaction(isolation):
        assert session.execute("SHOW transaction_isolation") == [(isolation,)]
        with session.transaction("serializable"):
            assert session.execute("SHOW transaction_isolation") == [(isolation,)]
    assert session.execute("SHOW transaction_isolation") == [("read committed",)]


def test_an_isolation_that_there_is_not_is_refused_before_anything_begins(session: Session) -> None:
    with pytest.raises(InvalidArgumentError, match="'repeatable read'"), session.transaction("snapshot"):  # type: ignore[arg-type]
        raise AssertionError
    assert not session.in_transaction
    insert(session, 1)


def test_a_repeatable_read_sees_one_moment_by_all_ways_of_reading(session: Session) -> None:
    insert(session, 1)
    everything = plan_settings("SELECT n::bigint AS n FROM t", ())
    with session.transaction("repeatable read"):
        assert numbers(session) == [1]
        elsewhere(lambda: insert(session, 2))
        assert numbers(session) == [1]
        assert pa.Table.from_batches(session.read_inside(everything, NUMBERS))["n"].to_pylist() == [1]
    assert numbers(session) == [1, 2]


# errors that are survived


def test_a_statement_that_fails_is_undone_alone(session: Session) -> None:
    with session.transaction():
        insert(session, 1)
        for failing in ("SELECT 1/0", "SELECT nonsense", "INSERT INTO t VALUES (7), (1)", "bad syntax"):
            with pytest.raises(DjflowError):
                session.execute(failing)
            with pytest.raises(DjflowError):
                session.query_rows(failing, ())
            with pytest.raises(DjflowError):
                session.write(failing, ())
        with pytest.raises(DjflowError):
            session.copy("COPY t FROM STDIN (FORMAT csv)", [b"8\n", b"x\n"])
        insert(session, 2)
        with session.transaction():
            insert(session, 3)
            with pytest.raises(DuplicateError):
                insert(session, 1)
            insert(session, 4)
        with pytest.raises(DuplicateError):
            insert(session, 3)
    assert numbers(session) == [1, 2, 3, 4]


def test_a_block_that_rolls_back_takes_back_all_of_its_statements_only(session: Session) -> None:
    with session.transaction():
        insert(session, 1)
        insert(session, 2)
        with pytest.raises(ZeroDivisionError), session.transaction():  # noqa: PT012 - the block is the transaction
            insert(session, 3)
            insert(session, 4)
            with session.transaction():
                insert(session, 5)
            with pytest.raises(DuplicateError):
                insert(session, 1)
            _ = 1 / 0
        insert(session, 6)
    assert numbers(session) == [1, 2, 6]


def test_savepoints_do_not_pile_up(session: Session) -> None:
    with session.transaction():
        for n in range(500):
            insert(session, n)
            session.query_rows("SELECT 1", ())
        # Each level of subtransactions has a memory context of the same name.
        levels = session.execute(
            "SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'CurTransactionContext'"
        )
    assert levels[0][0] < 10


def test_a_block_whose_transaction_was_ended_by_a_statement_says_so(session: Session) -> None:
    for statement in ("COMMIT", "ROLLBACK"):
        with pytest.raises(QueryError, match="leave that to the block"), session.transaction():
            session.execute(statement)
        assert not session.in_transaction
    with pytest.raises(QueryError, match="nothing was kept"), session.transaction():  # noqa: PT012 - the block is the transaction
        insert(session, 1)
        with pytest.raises(psycopg.Error):
            session.connection.execute("SELECT 1/0")
    assert numbers(session) == []


# what follows an end


def test_what_waits_for_the_commit_is_done_after_the_outermost_block(session: Session) -> None:
    done: list[str] = []
    session.after_commit(lambda: done.append("at once"))
    with session.transaction():
        session.after_commit(lambda: done.append("outer"))
        with session.transaction():
            session.after_commit(lambda: done.append(f"inner, {session.in_transaction}"))
            session.after_rollback(lambda: done.append("never"))
        with pytest.raises(ZeroDivisionError), session.transaction():  # noqa: PT012 - the block is the transaction
            session.after_commit(lambda: done.append("never"))
            session.after_rollback(lambda: done.append("undone"))
            _ = 1 / 0
        assert done == ["at once", "undone"]
    assert done == ["at once", "undone", "outer", "inner, False"]


def test_what_a_rollback_undoes_is_undone_last_first(session: Session) -> None:
    undone: list[int] = []
    with pytest.raises(ZeroDivisionError), session.transaction():  # noqa: PT012 - the block is the transaction
        session.after_rollback(lambda: undone.append(1))
        with session.transaction():
            session.after_rollback(lambda: undone.append(2))
        session.after_rollback(lambda: undone.append(3))
        session.after_commit(lambda: undone.append(4))
        _ = 1 / 0
    assert undone == [3, 2, 1]
    with pytest.raises(QueryError, match="no transaction"):
        session.after_rollback(lambda: None)


# other transactions in the way


def _increment(session: Session, meanwhile: Callable[[], object]) -> int:
    ((n,),) = session.execute("SELECT n FROM t")
    meanwhile()
    session.execute("UPDATE t SET n = $1", [n + 1])
    return int(n)


def test_a_block_that_met_another_change_is_a_serialization_error(session: Session) -> None:
    insert(session, 0)
    with pytest.raises(SerializationError, match="run_in_transaction") as caught:  # noqa: SIM117
        with session.transaction("repeatable read"):
            _increment(session, lambda: elsewhere(lambda: session.execute("UPDATE t SET n = n + 10")))
    assert isinstance(caught.value, RetryableError)
    assert caught.value.sqlstate == "40001"
    assert numbers(session) == [10]


def test_a_function_that_met_another_change_is_run_again_from_its_beginning(session: Session) -> None:
    insert(session, 0)
    calls: list[int] = []
    committed: list[int] = []

    def once() -> None:
        calls.append(1)
        if len(calls) < 3:
            elsewhere(lambda: session.execute("UPDATE t SET n = n + 10"))

    def function() -> int:
        session.after_commit(lambda: committed.append(len(calls)))
        return _increment(session, once)

    assert run_in_transaction(session, function, isolation="repeatable read") == 20
    assert numbers(session) == [21]
    assert len(calls) == 3
    assert committed == [3]


def test_attempts_come_to_an_end(session: Session) -> None:
    insert(session, 0)
    calls: list[int] = []

    def in_the_way() -> None:
        calls.append(1)
        elsewhere(lambda: session.execute("UPDATE t SET n = n + 10"))

    with pytest.raises(SerializationError) as caught:
        run_in_transaction(
            session, lambda: _increment(session, in_the_way), isolation="repeatable read", attempts=2
        )
    assert caught.value.__notes__ == ["It was tried 2 times."]
    assert len(calls) == 2
    with pytest.raises(InvalidArgumentError):
        run_in_transaction(session, list, attempts=0)


def test_inside_a_transaction_a_function_is_not_repeated(session: Session) -> None:
    insert(session, 0)
    calls: list[int] = []

    def in_the_way() -> None:
        calls.append(1)
        elsewhere(lambda: session.execute("UPDATE t SET n = n + 10"))

    with pytest.raises(SerializationError), session.transaction("repeatable read"):
        run_in_transaction(session, lambda: _increment(session, in_the_way))
    assert len(calls) == 1


def test_what_fails_after_the_commit_does_not_repeat_the_function(session: Session) -> None:
    def function() -> None:
        insert(session, len(numbers(session)))
        session.after_commit(fail)

    def fail() -> None:
        raise SerializationError("later")

    with pytest.raises(SerializationError, match="later"):
        run_in_transaction(session, function)
    assert numbers(session) == [0]


def test_no_increment_is_lost_among_serializable_functions(session: Session) -> None:
    insert(session, 0)

    def work() -> None:
        for _ in range(5):
            run_in_transaction(
                session, lambda: _increment(session, lambda: None), isolation="serializable", attempts=100
            )

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(session) == [20]


def test_a_deadlock_ends_one_block_and_a_function_is_run_again(session: Session) -> None:
    insert(session, 1)
    insert(session, 2)
    both_hold = threading.Barrier(2)
    attempts: list[int] = []

    def crossing(first: int, second: int) -> Callable[[], None]:
        mine: list[int] = []

        def function() -> None:
            attempts.append(first)
            mine.append(1)
            session.execute("SELECT n FROM t WHERE n = $1 FOR UPDATE", [first])
            if len(mine) == 1:
                both_hold.wait()
            session.execute("SELECT n FROM t WHERE n = $1 FOR UPDATE", [second])

        return function

    threads = [
        Thread(target=run_in_transaction, args=(session, crossing(*pair))) for pair in ((1, 2), (2, 1))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(attempts) == 3


def test_a_deadlock_is_told_from_other_errors(session: Session) -> None:
    with pytest.raises(DeadlockError) as caught:
        session.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40P01', MESSAGE = 'said'; END $$")
    assert caught.value.sqlstate == "40P01"


def test_pauses_grow_up_to_a_second() -> None:
    assert max(pause(1) for _ in range(100)) <= 0.02
    assert 0.1 < max(pause(60) for _ in range(100)) <= 1


# connections that break


def _before_a_statement(session: Session, break_: Callable[[], None]) -> None:
    break_()
    insert(session, 2)


def _during_a_statement(session: Session, break_: Callable[[], None]) -> None:
    with soon(break_):
        session.execute("SELECT pg_sleep(30)")


def _while_rows_come(session: Session, break_: Callable[[], None]) -> None:
    with closing(session.read_inside(MANY, NUMBERS, batch_bytes=1000)) as batches:  # type: ignore[type-var]
        next(batches)
        break_()
        list(batches)


def _while_rows_come_and_others_wait(session: Session, break_: Callable[[], None]) -> None:
    batches = session.read_inside(MANY, NUMBERS, batch_bytes=1000)
    next(batches)
    break_()
    insert(session, 2)


def _while_rows_go(session: Session, break_: Callable[[], None]) -> None:
    def payload() -> Iterator[bytes]:
        yield b"5\n"
        break_()
        for n in range(10, 1_000_000):
            yield f"{n}\n".encode()

    session.copy("COPY t FROM STDIN (FORMAT csv)", payload())


def _inside_a_block(session: Session, break_: Callable[[], None]) -> None:
    with session.transaction():
        break_()


def _and_nobody_looks(session: Session, break_: Callable[[], None]) -> None:
    break_()
    with pytest.raises(LostConnectionError):
        insert(session, 2)


@pytest.mark.parametrize(
    "moment",
    [
        _before_a_statement,
        _during_a_statement,
        _while_rows_come,
        _while_rows_come_and_others_wait,
        _while_rows_go,
        _inside_a_block,
        _and_nobody_looks,
    ],
)
def test_a_connection_that_breaks_in_a_transaction_takes_all_of_it(
    session: Session, empty_url: str, moment: Callable[[Session, Callable[[], None]], None]
) -> None:
    insert(session, 1)
    undone: list[int] = []
    with pytest.raises(LostConnectionError) as caught, session.transaction():  # noqa: PT012 - the block is the transaction
        insert(session, 9)
        session.after_rollback(lambda: undone.append(1))
        pid = session.connection.info.backend_pid
        moment(session, lambda: end(empty_url, pid))
    assert undone == [1]
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert numbers(session) == [1]
    insert(session, 2)


@pytest.mark.parametrize(
    "moment",
    [
        _before_a_statement,
        _during_a_statement,
        _while_rows_come,
        _while_rows_come_and_others_wait,
        _inside_a_block,
        _and_nobody_looks,
    ],
)
def test_a_network_that_breaks_is_told_as_a_server_that_ends(
    session: Session, moment: Callable[[Session, Callable[[], None]], None]
) -> None:
    insert(session, 1)
    with pytest.raises(LostConnectionError) as caught, session.transaction():  # noqa: PT012 - the block is the transaction
        insert(session, 9)
        moment(session, cut(session))
    assert not isinstance(caught.value, OutcomeUnknownError)
    assert numbers(session) == [1]


def test_a_network_that_breaks_at_the_commit_leaves_its_outcome_unknown(session: Session) -> None:
    make_commits_slow(session)
    with (
        pytest.raises(OutcomeUnknownError),
        soon(cut(session)),
        session.transaction(),
    ):
        insert(session, 1)


def make_commits_slow(session: Session) -> None:
    session.execute(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
        "AS $$ BEGIN PERFORM pg_sleep(3); RETURN NULL; END $$"
    )
    session.execute(
        "CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION slow()"
    )


def cut(session: Session) -> Callable[[], None]:
    """What cuts the wire of a session's connection."""
    descriptor = session.connection.pgconn.socket

    def cutting() -> None:
        with socket.socket(fileno=os.dup(descriptor)) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    return cutting


def test_a_connection_that_breaks_at_the_commit_leaves_its_outcome_unknown(
    session: Session, empty_url: str
) -> None:
    make_commits_slow(session)
    known: list[str] = []
    pid = session.connection.info.backend_pid
    with (  # noqa: PT012 - the block is the transaction
        pytest.raises(OutcomeUnknownError, match="Look for its rows"),
        soon(lambda: end(empty_url, pid)),
        session.transaction(),
    ):
        insert(session, 1)
        session.after_commit(lambda: known.append("committed"))
        session.after_rollback(lambda: known.append("rolled back"))
    assert known == []
    assert not session.in_transaction
    assert numbers(session) == []


def test_a_statement_alone_that_was_cut_off_is_not_sent_twice(session: Session, empty_url: str) -> None:
    pid = session.connection.info.backend_pid
    with pytest.raises(OutcomeUnknownError, match="may have carried out"), soon(lambda: end(empty_url, pid)):
        session.execute("INSERT INTO t SELECT 1 FROM pg_sleep(30)")
    assert numbers(session) == []


def test_a_statement_that_finds_its_connection_ended_is_sent_on_another(
    session: Session, empty_url: str
) -> None:
    for n in range(3):
        end(empty_url, session.connection.info.backend_pid)
        insert(session, n)
    end(empty_url, session.connection.info.backend_pid)
    with session.transaction():
        insert(session, 3)
    assert numbers(session) == [0, 1, 2, 3]


def test_a_function_is_run_again_when_its_connection_broke_before_the_commit(
    session: Session, empty_url: str
) -> None:
    calls: list[int] = []

    def function() -> None:
        calls.append(1)
        insert(session, 1)
        if len(calls) == 1:
            end(empty_url, session.connection.info.backend_pid)

    run_in_transaction(session, function)
    assert numbers(session) == [1]
    assert len(calls) == 2


def test_closing_the_session_inside_a_block_loses_the_block(session: Session) -> None:
    with pytest.raises(LostConnectionError), session.transaction():  # noqa: PT012 - the block is the transaction
        insert(session, 1)
        session.close()
    assert numbers(session) == []


# interrupts


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def _statement(session: Session) -> None:
    session.execute("SELECT pg_sleep(30)")


def _rows(session: Session) -> None:
    slow = plan_settings("SELECT n FROM generate_series(1::bigint, 3000) n, pg_sleep(n * 0.00001)", ())
    list(session.read_inside(slow, NUMBERS))


def _long_copy(session: Session) -> None:
    endless = plan_settings("SELECT n FROM generate_series(1::bigint, 1000000000) n", ())
    for _ in session.read_inside(endless, NUMBERS):
        pass


@pytest.mark.parametrize("running", [_statement, _rows, _long_copy])
def test_an_interrupt_stops_the_server_and_rolls_back(
    session: Session, empty_url: str, running: Callable[[Session], Any]
) -> None:
    pid = session.connection.info.backend_pid
    with pytest.raises(KeyboardInterrupt), soon(interrupt), session.transaction():  # noqa: PT012
        insert(session, 1)
        running(session)
    assert not session.in_transaction
    with psycopg.connect(empty_url) as other:
        active = other.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()
    assert active in (None, ("idle",))
    assert numbers(session) == []


def test_an_interrupt_that_is_caught_leaves_the_transaction_usable(session: Session) -> None:
    with session.transaction():
        insert(session, 1)
        for running in (_statement, _long_copy):
            with pytest.raises(KeyboardInterrupt), soon(interrupt):
                running(session)
        insert(session, 2)
    assert numbers(session) == [1, 2]
