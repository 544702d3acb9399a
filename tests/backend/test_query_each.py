"""Several small queries sent one behind the other, without waiting for answers in between."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from djflow.backend.session import Session
from djflow.errors import LostConnectionError, QueryError
from djflow.model.types import CoreType
from djflow.planner.parameters import Parameters
from djflow.relation.database import Database

if TYPE_CHECKING:
    import psycopg


@pytest.fixture
def session(database: Database) -> Session:
    return database.session


def asking(*numbers: int) -> Iterator[tuple[str, Any]]:
    for number in numbers:
        parameters = Parameters()
        place = parameters.add(number, CoreType("int32"))
        yield f"SELECT 12 / {place}, n FROM generate_series(1, {place}) n", tuple(parameters.values)


def test_each_query_gets_its_own_rows(session: Session) -> None:
    with session.transaction():
        assert session.query_each(asking(2, 1, 3)) == [[(6, 1), (6, 2)], [(12, 1)], [(4, 1), (4, 2), (4, 3)]]
        assert session.query_each(()) == []


def test_a_query_that_fails_leaves_the_transaction_as_it_was(session: Session) -> None:
    with session.transaction():
        session.execute("CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT 1 AS n")
        with pytest.raises(QueryError, match="division by zero"):
            session.query_each(asking(1, 0, 2))
        assert session.execute("SELECT n FROM kept") == [(1,)]
        assert session.query_each(asking(1)) == [[(12, 1)]]


def test_what_makes_the_queries_may_fail(session: Session) -> None:
    def failing() -> Iterator[tuple[str, Any]]:
        yield from asking(1)
        raise ZeroDivisionError

    with session.transaction():
        with pytest.raises(ZeroDivisionError):
            session.query_each(failing())
        assert session.query_each(asking(1)) == [[(12, 1)]]


def test_they_belong_into_a_transaction(session: Session) -> None:
    with pytest.raises(QueryError, match="no transaction"):
        session.query_each(asking(1))


def test_a_connection_that_breaks_between_them_is_an_error(
    session: Session, connection: "psycopg.Connection[Any]"
) -> None:
    def breaking(pid: int) -> Iterator[tuple[str, Any]]:
        yield from asking(1)
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        yield from asking(1)

    def broken() -> None:
        with session.transaction():
            [(pid,)] = session.execute("SELECT pg_backend_pid()")
            session.query_each(breaking(pid))

    with pytest.raises(LostConnectionError):
        broken()
    assert session.execute("SELECT 1") == [(1,)]
