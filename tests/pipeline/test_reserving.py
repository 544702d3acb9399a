"""Workers that share a queue make each key once, and say what became of it."""

import threading
from typing import Any

import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.pipeline.queue import Worker
from djflow.relation.database import Database
from djflow.tables.schema import Schema

KEYS = 60


def declare(schema: Schema) -> Any:
    """Numbers, and a table whose `make` also does what `Result.how` says."""

    @schema
    class Number(dj.Lookup):
        definition = "number : int32"
        contents = ((n,) for n in range(KEYS))

    @schema
    class Result(dj.Computed):
        definition = """
        -> Number
        ---
        value : int32
        """
        how: Any = None
        made: Any = None

        def make(self, key: dict[str, Any]) -> None:
            type(self).made.append(key["number"])
            if self.how:
                self.how(key)
            self.insert1({**key, "value": 2 * key["number"]})

    Result.made = []
    return Result


@pytest.fixture
def result(schema: Schema) -> Any:
    return declare(schema)


def test_every_key_is_made_and_no_job_is_left(result: Any) -> None:
    assert result().populate(reserve_jobs=True) == {"success": KEYS, "error": 0, "skip": 0, "errors": []}
    assert len(result()) == KEYS
    assert result().jobs.progress()["total"] == 0
    assert result().populate(reserve_jobs=True)["success"] == 0
    assert sorted(result.made) == list(range(KEYS))


def test_completed_jobs_stay_where_they_are_to_be_kept(database: Database, schema_name: str) -> None:
    settings = changed(database.settings, {"jobs": {"keep_completed": True}})
    keeping = Database(lambda: settings)
    try:
        result = declare(Schema(schema_name, connection=keeping))
        result().populate(reserve_jobs=True)
        assert result().jobs.progress()["success"] == KEYS
        assert all(row["duration"] > 0 for row in result().jobs.completed.to_dicts())
        (result() & "number < 5").delete(prompt=False)
        assert result().populate(reserve_jobs=True)["success"] == 5
    finally:
        keeping.close()


def test_errors_are_kept_and_not_tried_again(result: Any) -> None:
    def how(_self: Any, key: dict[str, Any]) -> None:
        if key["number"] % 20 == 7:
            raise ValueError(f"number {key['number']}")

    result.how = how
    told = result().populate(reserve_jobs=True, suppress_errors=True)
    assert (told["success"], told["error"]) == (KEYS - 3, 3)
    errors = result().jobs.errors.to_dicts()
    assert [(row["number"], row["error_message"]) for row in errors] == [
        (n, f"ValueError: number {n}") for n in (7, 27, 47)
    ]
    assert all('raise ValueError(f"number' in row["error_stack"] for row in errors)
    assert result().populate(reserve_jobs=True)["success"] == 0
    assert result.made.count(7) == 1
    result.how = None
    (result().jobs.errors & "number = 7").delete()
    assert result().populate(reserve_jobs=True)["success"] == 1
    assert len(result()) == KEYS - 2


def test_an_error_that_stops_populate_gives_back_the_other_jobs(result: Any) -> None:
    def how(_self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 30:
            raise ZeroDivisionError

    result.how = how
    with pytest.raises(ZeroDivisionError):
        result().populate(reserve_jobs=True)
    counts = result().jobs.progress()
    assert (counts["error"], counts["reserved"]) == (1, 0)
    assert len(result()) + counts["pending"] == KEYS - 1
    assert result().populate(reserve_jobs=True)["success"] == counts["pending"]


def test_an_interrupt_gives_back_the_other_jobs(result: Any) -> None:
    def how(_self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 30:
            raise KeyboardInterrupt

    result.how = how
    with pytest.raises(KeyboardInterrupt):
        result().populate(reserve_jobs=True, suppress_errors=True)
    counts = result().jobs.progress()
    assert (counts["error"], counts["reserved"]) == (0, 0)
    assert len(result()) + counts["pending"] == KEYS


def test_what_fails_for_a_while_is_tried_again(result: Any) -> None:
    def how(_self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 3 and result.made.count(3) < 3:
            raise TimeoutError("the instrument does not answer")

    result.how = how
    told = result().populate({"number": 3}, reserve_jobs=True)
    assert (told["success"], told["error"]) == (1, 0)
    assert result.made == [3, 3, 3]


def test_workers_share_the_keys(result: Any) -> None:
    together = threading.Barrier(4, timeout=30)
    told: list[dict[str, Any]] = []

    def work() -> None:
        together.wait()
        told.append(result().populate(reserve_jobs=True))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each["success"] for each in told) == KEYS
    assert sorted(result.made) == list(range(KEYS))
    assert result().jobs.progress()["total"] == 0


def test_a_worker_whose_job_was_taken_over_commits_nothing_of_it(result: Any, database: Database) -> None:
    rival = Database(lambda: database.settings)
    queue = f'"{result().table_model.name.schema}"."~~result"'

    def how(_self: Any, key: dict[str, Any]) -> None:
        if key["number"] == 10:
            rival.query(f"UPDATE {queue} SET _token = 1 WHERE number = 10")

    result.how = how
    try:
        told = result().populate(reserve_jobs=True)
    finally:
        rival.close()
    assert (told["success"], told["skip"]) == (KEYS - 1, 1)
    assert not result() & "number = 10"
    assert result().jobs.reserved.to_arrays("number").tolist() == [10]


def test_restrictions_priority_and_limits_choose_the_jobs(result: Any) -> None:
    jobs = result().jobs
    jobs.refresh("number < 10", priority=1)
    jobs.refresh()
    assert result().populate(reserve_jobs=True, refresh=False, priority=1)["success"] == 10
    assert result().populate("number >= 50", reserve_jobs=True, refresh=False)["success"] == 10
    assert result().populate(reserve_jobs=True, refresh=False, max_calls=7)["success"] == 7
    assert len(result()) == 27
    assert jobs.progress()["pending"] == KEYS - 27


def test_without_a_refresh_only_what_is_queued_is_made(result: Any) -> None:
    assert result().populate(reserve_jobs=True, refresh=False)["success"] == 0
    result().jobs.refresh({"number": 5})
    assert result().populate(reserve_jobs=True, refresh=False)["success"] == 1


def test_ignored_keys_are_passed_over(result: Any) -> None:
    result().jobs.ignore({"number": 3})
    assert result().populate(reserve_jobs=True)["success"] == KEYS - 1
    assert result().jobs.ignored.to_arrays("number").tolist() == [3]


def test_jobs_of_a_worker_that_was_killed_are_taken_over_when_its_lease_has_ended(
    result: Any, database: Database
) -> None:
    jobs = result().jobs
    jobs.refresh()
    claim = jobs.queue.claim(5, Worker("elsewhere", 1), 60)
    assert result().populate(reserve_jobs=True)["success"] == KEYS - 5
    queue = f'"{result().table_model.name.schema}"."~~result"'
    ended = "_lease_end = now() - interval '1 second'"
    database.query(f"UPDATE {queue} SET {ended} WHERE _token = {claim.token}")
    assert result().populate(reserve_jobs=True, refresh=False)["success"] == 5
    assert jobs.progress()["total"] == 0
