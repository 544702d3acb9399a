"""Whatever fails at whichever step of a write: no reference dangles, and no object is unknown or lost."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pytest
from tests.objects_faults.bench import Bench
from tests.objects_faults.faulty import Fault
from tests.objects_faults.values import EXAMPLES, Example

from djflow.errors import (
    BucketInaccessible,
    DuplicateError,
    LostConnectionError,
    OutcomeUnknownError,
    StorageError,
    StoreFullError,
)
from djflow.relation.database import Database

Rows = list[tuple[int, Any]]


def _raising(error: BaseException) -> Callable[[], None]:
    def strike() -> None:
        raise error

    return strike


STORE_FAULTS: Final[dict[str, tuple[str, BaseException]]] = {
    "before the first byte": ("before", StorageError("refused")),
    "in the middle": ("in the middle", StorageError("broken")),
    "after the last byte": ("after", BucketInaccessible("no answer")),
    "full": ("in the middle", StoreFullError("full")),
    "interrupted": ("before", KeyboardInterrupt()),
    "unforeseen": ("in the middle", RuntimeError("of a library")),
}


@pytest.mark.parametrize("name", STORE_FAULTS)
def test_a_write_that_its_store_fails_leaves_no_row_and_succeeds_later(bench: Bench, name: str) -> None:
    moment, error = STORE_FAULTS[name]

    def insert(example: Example, rows: Rows) -> None:
        with pytest.raises(type(error)), bench.failing(Fault(moment, _raising(error))):
            bench.shaken[example.table].insert(rows)

    _check_failing(bench, insert)


def test_a_connection_that_is_lost_behind_the_objects_leaves_no_row(bench: Bench) -> None:
    def insert(example: Example, rows: Rows) -> None:
        pid = _pid(bench.shaky)
        with (
            pytest.raises(LostConnectionError),
            bench.failing(Fault("after", lambda: _end(bench.database, pid))),
        ):
            bench.shaken[example.table].insert(rows)

    _check_failing(bench, insert)


def test_rows_that_the_table_refuses_leave_nothing(bench: Bench) -> None:
    def insert(example: Example, rows: Rows) -> None:
        [(number, _)] = taken = bench.rows(example, 1)
        table = bench.tables[example.table]
        table.insert(taken)
        with pytest.raises(DuplicateError):
            table.insert([*rows, (number, rows[0][1])])

    _check_failing(bench, insert)


def test_a_connection_that_is_lost_before_the_commit_leaves_nothing(bench: Bench) -> None:
    def insert(example: Example, rows: Rows) -> None:
        pid = _pid(bench.shaky)
        with pytest.raises(LostConnectionError):
            _insert_and(bench, example, rows, lambda: _end(bench.database, pid))

    _check_failing(bench, insert)


def test_an_error_before_the_commit_leaves_nothing(bench: Bench) -> None:
    def insert(example: Example, rows: Rows) -> None:
        with pytest.raises(ZeroDivisionError):
            _insert_and(bench, example, rows, _raising(ZeroDivisionError()))

    _check_failing(bench, insert)


def test_a_connection_that_is_lost_in_the_commit_leaves_all_or_nothing(bench: Bench) -> None:
    def insert(example: Example, rows: Rows) -> None:
        with pytest.raises(OutcomeUnknownError), _breaking_commits(bench, example):
            bench.tables[example.table].insert(rows)

    _check_failing(bench, insert)


def test_an_error_behind_the_commit_undoes_nothing(bench: Bench) -> None:
    for example in EXAMPLES:
        rows = bench.rows(example, 2)
        with pytest.raises(KeyboardInterrupt):
            _insert_and_fail(bench, example, rows)
        assert bench.count(example, rows) == 2
    bench.check()
    bench.forget()


def test_a_store_that_fails_each_third_call_loses_nothing(bench: Bench) -> None:
    for example in EXAMPLES:
        rows = bench.rows(example, 3)
        with bench.failing(Fault("any call", _raising(BucketInaccessible("busy")), every=3)):
            for row in rows:
                _insert_in_the_end(bench, example, row)
        assert bench.count(example, rows) == 3
    bench.check()
    bench.forget()


def _insert_in_the_end(bench: Bench, example: Example, row: tuple[int, Any]) -> None:
    """Those whose writes take three calls or more succeed once the store is well again."""
    for _ in range(4):
        with suppress(BucketInaccessible):
            bench.shaken[example.table].insert([row])
            return
    bench.tables[example.table].insert([row])


def _insert_and(bench: Bench, example: Example, rows: Rows, strike: Callable[[], None]) -> None:
    with bench.shaky.transaction:
        bench.shaken[example.table].insert(rows)
        strike()


def _insert_and_fail(bench: Bench, example: Example, rows: Rows) -> None:
    with bench.shaky.transaction:
        bench.shaken[example.table].insert(rows)
    raise KeyboardInterrupt


def _check_failing(bench: Bench, insert: Callable[[Example, Rows], None]) -> None:
    """Of each codec, rows that cannot be inserted now, and can be afterwards."""
    given = [(example, bench.rows(example, 2)) for example in EXAMPLES]
    for example, rows in given:
        insert(example, rows)
        assert bench.count(example, rows) == 0
    bench.check()
    for example, rows in given:
        bench.shaken[example.table].insert(rows)
        assert bench.count(example, rows) == 2
    bench.check()
    bench.forget()


@contextmanager
def _breaking_commits(bench: Bench, example: Example) -> Iterator[None]:
    schema, table = bench.name, bench.tables[example.table].table_model.name.table
    bench.shaky.query(
        f"""CREATE FUNCTION "{schema}".break_off() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$"""
    )
    bench.shaky.query(
        f'CREATE CONSTRAINT TRIGGER break_off AFTER INSERT ON "{schema}".{table} '
        f'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION "{schema}".break_off()'
    )
    try:
        yield
    finally:
        bench.shaky.query(f'DROP FUNCTION "{schema}".break_off CASCADE')


def _pid(database: Database) -> int:
    [(pid,)] = database.query("SELECT pg_backend_pid()")
    return int(pid)


def _end(database: Database, pid: int) -> None:
    database.query("SELECT pg_terminate_backend($1, 5000)", (pid,))
