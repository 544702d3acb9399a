"""The histories of `test_histories.py`, on a queue in a database, whose leases end because SQL says so."""

import os
from collections.abc import Iterator
from typing import Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.pipeline.queue.histories import KEYS, LEASE, Histories, Kept, Lost

from djflow.errors import LeaseLostError
from djflow.pipeline.queue import Claim, Failure, Jobs, Queue, Retries, Worker

EXAMPLES: Final = max(4, int(os.environ.get("DJFLOW_TEST_EXAMPLES", "0")) // 100)


class Stored:
    """A real queue. Time passes in that all its times move into the past."""

    def __init__(self, table: Any) -> None:
        self.table, self.jobs = table, Jobs(table)
        self.database = table.connection
        self.queue = Queue(table.table_model, self.database, Retries(attempts=3, base=4, cap=10))
        table.delete_quick()
        self.jobs.delete()

    def refresh(self) -> None:
        self.queue.expire()
        self.jobs.refresh()

    def claim(self, n: int) -> tuple[Any, list[int]]:
        claim = self.queue.claim(n, Worker("bench", 1), LEASE)
        return claim, [key["number"] for key in claim.keys]

    def heartbeat(self, mark: Claim) -> bool:
        return not self.queue.heartbeat([mark.token], LEASE)

    def commit(self, mark: Claim, keys: list[int]) -> None:
        done = [{"number": key} for key in keys]
        try:
            with self.database.transaction:
                self.table.insert([{**key, "double": 0} for key in done], allow_direct_insert=True)
                self.queue.complete(mark, done)
        except LeaseLostError as error:
            raise Lost from error

    def fail(self, mark: Claim, key: int, *, transient: bool) -> None:
        self.queue.fail(mark, [Failure({"number": key}, "no", is_transient=transient)])

    def release(self, mark: Claim, keys: list[int]) -> None:
        self.queue.release(mark, [{"number": key} for key in keys])

    def pass_time(self, seconds: float) -> None:
        past = "scheduled_time = scheduled_time - d, _lease_end = _lease_end - d"
        period = "(SELECT make_interval(secs => $1::float8) AS d) AS passed"
        self.database.query(f"UPDATE {self.queue.jobs} SET {past} FROM {period}", [seconds])

    def statuses(self) -> dict[int, str]:
        return {row["number"]: row["status"] for row in self.jobs.proj("status").to_dicts()}

    def results(self) -> list[int]:
        found: list[int] = self.table.to_arrays("number").tolist()
        return found


class StoredHistories(Histories):
    table: ClassVar[Any]

    def make(self) -> Kept:
        return Stored(self.table)


@pytest.fixture
def few(double: Any) -> Iterator[Any]:
    """The table, over as many numbers as histories are about."""
    (double.number() & f"number >= {KEYS}").delete_quick()
    yield double
    del StoredHistories.table


def test_nothing_is_lost_or_committed_twice_in_the_database(few: Any) -> None:
    StoredHistories.table = few
    run_state_machine_as_test(
        StoredHistories,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Jobs(few).progress()["total"] == len(Jobs(few))
