"""Calls from asyncio go to threads, each with its own connection; no two tasks share a transaction."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import psycopg
import pytest

import djflow as dj
from djflow.errors import MissingRowError, QueryError
from djflow.tables.schema import Schema

_COUNT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'djflow' AND pid = ANY(%s)"


@pytest.fixture
def subject(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name = '' : varchar(20)
        """

    Subject().insert1((0, "first"))
    return Subject()


def numbers(relation: Any) -> list[int]:
    found: list[int] = relation.to_arrays("subject").tolist()
    return found


def test_fifty_inserts_and_fetches_at_once(subject: Any) -> None:
    async def one(number: int) -> int:
        await asyncio.to_thread(subject.insert1, (number, f"n{number}"))
        row = await asyncio.to_thread((subject & {"subject": number}).fetch1)
        frame = await asyncio.to_thread(subject.to_arrow)
        assert row == {"subject": number, "name": f"n{number}"}
        assert number in frame["subject"].to_pylist()
        return number

    async def all_of_them() -> list[int]:
        return list(await asyncio.gather(*(one(number) for number in range(1, 51))))

    assert asyncio.run(all_of_them()) == list(range(1, 51))
    assert numbers(subject) == list(range(51))


def test_a_pool_of_threads_has_as_many_connections(subject: Any, connection: psycopg.Connection[Any]) -> None:
    async def main() -> set[int]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(3))
        query = "SELECT pg_backend_pid() FROM pg_sleep(0.01)"
        rows = await asyncio.gather(*(asyncio.to_thread(subject.connection.query, query) for _ in range(50)))
        return {row[0][0] for row in rows}

    before = asyncio.run(main())
    assert len(before) == 3
    after = asyncio.run(main())
    assert not before & after
    for _ in range(100):  # what ended threads had is closed when others open theirs
        if connection.execute(_COUNT, [list(before | after)]).fetchall() <= [(3,)]:
            return
        connection.execute("SELECT pg_sleep(0.05)")
    raise AssertionError


def test_a_transaction_in_one_function_is_whole_whatever_others_do(subject: Any) -> None:
    database = subject.connection

    def pair(number: int) -> None:
        with database.transaction:
            subject.insert1((number, ""))
            time.sleep(0.002)
            if number % 3 == 0:
                raise MissingRowError("none")
            subject.insert1((number + 1000, ""))

    async def main() -> list[BaseException | None]:
        pairs = (asyncio.to_thread(pair, number) for number in range(1, 31))
        return list(await asyncio.gather(*pairs, return_exceptions=True))

    errors = asyncio.run(main())
    assert [error is not None for error in errors] == [number % 3 == 0 for number in range(1, 31)]
    whole = [number for number in range(1, 31) if number % 3]
    assert numbers(subject) == [0, *whole, *(number + 1000 for number in whole)]


def test_a_transaction_does_not_leak_into_threads(subject: Any) -> None:
    database = subject.connection

    async def main() -> None:
        with database.transaction:
            subject.insert1((1, ""))
            assert not await asyncio.to_thread(lambda: database.in_transaction)
            assert await asyncio.to_thread(numbers, subject) == [0]
            await asyncio.to_thread(subject.insert1, (2, ""))
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert numbers(subject) == [0, 2]


@pytest.mark.parametrize("use", ["insert", "read", "stream", "begin", "query"])
def test_a_task_cannot_use_the_transaction_of_another(subject: Any, use: str) -> None:
    database = subject.connection

    def begin() -> None:
        with database.transaction:
            raise AssertionError

    uses: dict[str, Any] = {
        "insert": lambda: subject.insert1((2, "")),
        "read": lambda: len(subject),
        "stream": lambda: list(subject),
        "begin": begin,
        "query": lambda: database.query("SELECT 1"),
    }

    async def holder(ready: asyncio.Event, done: asyncio.Event) -> None:
        with database.transaction:
            subject.insert1((1, ""))
            ready.set()
            await done.wait()
            assert numbers(subject) == [0, 1]

    async def main() -> None:
        ready, done = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(holder(ready, done))
        await ready.wait()
        with pytest.raises(QueryError, match=r"another asyncio task.*to_thread"):
            uses[use]()
        done.set()
        await task
        uses["insert"]()

    asyncio.run(main())
    assert numbers(subject) == [0, 1, 2]


def test_a_cancelled_task_rolls_its_transaction_back(subject: Any) -> None:
    database = subject.connection

    async def holder(ready: asyncio.Event) -> None:
        with database.transaction:
            subject.insert1((1, ""))
            ready.set()
            await asyncio.sleep(60)

    async def main() -> None:
        ready = asyncio.Event()
        task = asyncio.create_task(holder(ready))
        await ready.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not database.in_transaction
        subject.insert1((2, ""))

    asyncio.run(main())
    assert numbers(subject) == [0, 2]


def test_who_stops_waiting_leaves_the_thread_to_end_its_transaction(subject: Any) -> None:
    database, begun, go_on = subject.connection, Event(), Event()

    def slow() -> None:
        with database.transaction:
            subject.insert1((1, ""))
            begun.set()
            assert go_on.wait(60)
            subject.insert1((2, ""))

    async def main() -> None:
        task = asyncio.create_task(asyncio.to_thread(slow))
        assert await asyncio.to_thread(begun.wait, 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        subject.insert1((3, ""))
        assert await asyncio.to_thread(numbers, subject) == [0, 3]
        go_on.set()

    asyncio.run(main())  # waits for the thread
    assert numbers(subject) == [0, 1, 2, 3]


def test_settings_overridden_for_a_task_hold_in_its_threads() -> None:
    instance = dj.Instance(home="elsewhere")

    async def one(limit: int) -> int:
        with instance.config.override(display__limit=limit):
            await asyncio.sleep(0.001)
            return await asyncio.to_thread(lambda: instance.connection.settings.display.limit)

    async def main() -> list[int]:
        return list(await asyncio.gather(*(one(limit) for limit in (1, 2, 3))))

    assert asyncio.run(main()) == [1, 2, 3]
    assert instance.config.display.limit == 12
