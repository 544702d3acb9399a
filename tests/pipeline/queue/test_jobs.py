"""`Table.jobs`: the queue as people see it."""

import datetime as dt
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

import djflow as dj
from djflow.configuration import changed
from djflow.errors import InvalidArgumentError, QueryError
from djflow.pipeline.queue import Jobs, Worker
from djflow.relation.database import Database
from djflow.tables.schema import Schema

HERE = Worker("bench", 7)
NOTHING = {"added": 0, "removed": 0, "orphaned": 0, "re_pended": 0}
EMPTY = {"pending": 0, "reserved": 0, "success": 0, "error": 0, "ignore": 0, "total": 0}


def relations(jobs: Jobs) -> list[str]:
    found = (
        "SELECT relname::text FROM pg_class WHERE relnamespace = $1::text::regnamespace AND relname ~ '^~'"
    )
    schema = jobs.queue.target.name.schema
    return [name for (name,) in jobs.connection.query(f"{found} AND relkind = 'r' ORDER BY 1", [schema])]


def numbers(relation: Any) -> list[int]:
    found: list[int] = sorted(relation.to_arrays("number").tolist())
    return found


# looking


def test_a_table_without_a_queue_has_no_jobs_and_looking_makes_none(jobs: Jobs, double: Any) -> None:
    assert jobs.progress() == EMPTY
    assert (len(jobs), jobs.pending.to_dicts(), bool(jobs.errors), jobs.errors.delete()) == (0, [], False, 0)
    assert numbers(double.number() - jobs) == list(range(6))
    assert jobs.heading.primary_key == ("number",)
    assert relations(jobs) == ["~lineage"]


def test_jobs_are_a_relation_that_matches_rows_and_parents(jobs: Jobs, double: Any) -> None:
    jobs.refresh("number < 4")
    assert numbers(jobs.pending & "priority = 5") == [0, 1, 2, 3]
    assert numbers(jobs & (double.number() & {"parity": "odd"})) == [1, 3]
    assert numbers(double.number() - jobs) == [4, 5]
    assert isinstance(jobs & "number = 1", Jobs)


def test_progress_is_kept_whoever_changes_the_queue(jobs: Jobs) -> None:
    jobs.refresh()
    claim = jobs.queue.claim(3, HERE, 60)
    jobs.queue.complete(claim, claim.keys[:1])
    assert jobs.progress() == EMPTY | {"pending": 3, "reserved": 2, "total": 5}
    assert (jobs & "number < 3").progress()["total"] == 2
    jobs.connection.query(f"UPDATE {jobs.queue.jobs} SET status = 'ignore' WHERE status = 'pending'")
    assert jobs.progress() == EMPTY | {"ignore": 3, "reserved": 2, "total": 5}
    with pytest.raises(KeyError), jobs.connection.transaction:  # noqa: PT012 - what it undoes
        jobs.delete()
        assert jobs.progress() == EMPTY
        raise KeyError
    assert jobs.progress()["total"] == 5
    jobs.connection.query(f"TRUNCATE {jobs.queue.jobs}")
    assert jobs.progress() == EMPTY


def test_counts_stay_few_and_right_while_many_change_the_queue(jobs: Jobs) -> None:
    jobs.refresh()

    def work(worker: int) -> None:
        queue = Jobs(jobs._target).queue
        for _ in range(60):
            claim = queue.claim(2, Worker("bench", worker), 60)
            queue.release(claim)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    assert jobs.progress() == EMPTY | {"pending": 6, "total": 6}
    schema = jobs.queue.target.name.schema
    [(rows,)] = jobs.connection.query(f'SELECT count(*) FROM "{schema}"."~job_counts"')
    assert rows < 3 * 60 * 2 * 2


# filling


def test_refresh_queues_what_is_missing_once(jobs: Jobs, double: Any) -> None:
    double.populate("number < 2")
    assert jobs.refresh("number < 4") == NOTHING | {"added": 2}
    assert jobs.refresh() == NOTHING | {"added": 2}
    assert jobs.refresh() == NOTHING
    assert numbers(jobs.pending) == [2, 3, 4, 5]


def test_priority_and_delay_are_kept(jobs: Jobs) -> None:
    jobs.refresh("number = 1", priority=1, delay=3600)
    row = jobs.fetch1()
    assert row["priority"] == 1
    assert row["scheduled_time"] - row["created_time"] > dt.timedelta(minutes=59)
    with pytest.raises(InvalidArgumentError, match="priority"):
        jobs.refresh(priority=-1)


def test_completed_jobs_without_a_row_are_pending_again(jobs: Jobs, double: Any) -> None:
    jobs.refresh()
    claim = jobs.queue.claim(6, HERE, 60)
    jobs.queue.complete(claim, claim.keys, keep=True)
    double.populate("number < 4")
    assert jobs.refresh() == NOTHING | {"re_pended": 2}
    assert numbers(jobs.pending) == [4, 5]


def test_jobs_of_keys_that_are_gone_go_after_a_while_and_those_of_rows_at_once(
    jobs: Jobs, double: Any
) -> None:
    jobs.refresh()
    (double.number() & "number = 5").delete(prompt=False)
    double.populate("number = 0")
    assert jobs.refresh() == NOTHING | {"removed": 1}
    assert jobs.refresh("number = 1", stale_timeout=0) == NOTHING | {"removed": 1}
    assert numbers(jobs) == [1, 2, 3, 4]


def test_orphans_are_pending_again(jobs: Jobs) -> None:
    jobs.refresh()
    jobs.queue.claim(1, HERE, 60)
    jobs.reserve({"number": 5})
    past = (
        f"UPDATE {jobs.queue.jobs} SET reserved_time = '2000-01-01', _lease_end = _lease_end - interval '1 h'"
    )
    jobs.connection.query(past)
    assert jobs.refresh() == NOTHING | {"orphaned": 1}
    assert jobs.refresh(orphan_timeout=60) == NOTHING | {"orphaned": 1}


# single jobs


def test_an_ignored_key_is_passed_over_until_its_job_is_deleted(jobs: Jobs) -> None:
    jobs.ignore({"number": 0})
    jobs.refresh()
    jobs.ignore({"number": 1})
    assert numbers(jobs.ignored) == [0, 1]
    assert len(jobs.queue.claim(9, HERE, 60)) == 4
    with pytest.raises(QueryError, match="being computed"):
        jobs.ignore({"number": 3})
    assert jobs.ignored.delete() == 2
    assert jobs.refresh() == NOTHING | {"added": 2}


def test_a_worker_of_ones_own_can_be_written_with_it(jobs: Jobs) -> None:
    jobs.refresh()
    key = {"number": 2}
    assert jobs.reserve(key)
    jobs.complete(key, duration=0.5)
    assert numbers(jobs) == [0, 1, 3, 4, 5]
    assert jobs.reserve({"number": 3})
    jobs.error({"number": 3}, "boom", "line 1")
    assert jobs.errors.fetch1("error_message", "error_stack") == ("boom", "line 1")
    jobs.complete({"number": 4})  # nobody reserved it
    assert numbers(jobs.pending) == [0, 1, 4, 5]


def test_completed_jobs_are_kept_if_the_settings_say_so(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = changed(jobs.connection.settings, {"jobs": {"keep_completed": True}})
    monkeypatch.setattr(jobs.connection, "_settings", lambda: settings)
    jobs.refresh()
    jobs.reserve({"number": 2})
    jobs.complete({"number": 2}, duration=0.5)
    assert jobs.completed.fetch1("duration") == 0.5


# the table


def test_keys_of_all_types_come_back_as_they_are_fetched(schema: Schema) -> None:
    @schema
    class Thing(dj.Manual):
        definition = """
        select : int16
        big : int64
        name : varchar(20)
        code : char(4)
        day : date
        moment : datetime(3)
        is_good : bool
        side : enum('l', 'it''s')
        weight : decimal(6,2)
        uid : uuid
        """

    @schema
    class Made(dj.Computed):
        definition = """
        -> Thing
        """

    key = {
        "select": -1,
        "big": 2**62,
        "name": 'a "b" \\ ü',
        "code": "ab",
        "day": dt.date(2024, 2, 29),
        "moment": dt.datetime(2024, 2, 29, 1, 2, 3, 4000),
        "is_good": False,
        "side": "it's",
        "weight": Decimal("-1.50"),
        "uid": uuid.UUID(int=7),
    }
    Thing().insert1(key)
    jobs = Jobs(Made())
    assert jobs.refresh()["added"] == 1
    claim = jobs.queue.claim(1, HERE, 60)
    assert list(claim.keys) == jobs.reserved.keys() == [key]
    jobs.queue.complete(claim, claim.keys)
    jobs.ignore(key)
    assert jobs.ignored.keys() == [key]


def test_many_make_the_same_queue_at_once(double: Any) -> None:
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda _: Jobs(double).refresh()["added"], range(4)))
    assert sum(added) == 6
    assert Jobs(double).progress()["total"] == 6


def test_a_queue_outlives_the_transaction_that_first_needed_it(jobs: Jobs, double: Any) -> None:
    assert len(double) == 0
    with pytest.raises(KeyError), jobs.connection.session.transaction("repeatable read"):  # noqa: PT012 - what it undoes
        assert jobs.refresh()["added"] == 6
        raise KeyError
    assert relations(jobs) == ["~job_counts", "~lineage", "~~double"]
    assert jobs.progress() == EMPTY


def test_a_queue_goes_with_the_transaction_that_made_its_table(jobs: Jobs) -> None:
    with pytest.raises(KeyError), jobs.connection.transaction:  # noqa: PT012 - what it undoes
        assert jobs.refresh()["added"] == 6
        raise KeyError
    assert jobs.refresh()["added"] == 6


def test_bookkeeping_is_not_among_the_tables(jobs: Jobs, double: Any, schema: Schema) -> None:
    jobs.refresh()
    assert schema.list_tables() == ["#number", "__double"]
    double.drop(prompt=False)
    assert relations(jobs) == ["~job_counts", "~lineage"]


def test_a_queue_can_be_dropped_and_is_made_anew(jobs: Jobs, double: Any) -> None:
    jobs.drop()
    jobs.refresh()
    jobs.ignore({"number": 1})
    with pytest.raises(InvalidArgumentError, match="whole queue"):
        (jobs & "number = 2").drop()
    jobs.drop()
    name = jobs.table_model.name
    assert relations(jobs) == ["~job_counts", "~lineage"]
    for table in ("~job_counts", "~lineage"):
        column = "queue" if table == "~job_counts" else "table_name"
        found = f'SELECT count(*) FROM "{name.schema}"."{table}" WHERE {column} = $1'
        assert jobs.connection.query(found, [name.table]) == [(0,)]
    assert jobs.progress() == EMPTY
    assert len(double) == 0
    assert jobs.refresh()["added"] == 6
    assert jobs.progress()["pending"] == 6


def test_a_dropped_queue_comes_back_with_a_transaction_that_is_undone(jobs: Jobs) -> None:
    jobs.refresh()
    with pytest.raises(KeyError), jobs.connection.transaction:  # noqa: PT012 - what it undoes
        jobs.drop()
        raise KeyError
    assert jobs.progress()["pending"] == 6
    jobs.ignore({"number": 1})
    assert jobs.progress()["ignore"] == 1


@pytest.fixture
def renamed(jobs: Jobs) -> Iterator[str]:
    """The queue's schema, filled, under another name, quoted; the former name is that of another schema."""
    jobs.refresh()
    query, schema, name = jobs.connection.query, jobs.table_model.name.schema, '"a % ""name"" %1$I"'
    query(f"ALTER SCHEMA {schema} RENAME TO {name}")
    query(f"CREATE SCHEMA {schema}")
    query(f'CREATE TABLE {schema}."~job_counts" (LIKE {name}."~job_counts")')
    yield name
    query(f"DROP SCHEMA {name} CASCADE")


def test_a_queue_is_counted_where_its_schema_has_another_name(jobs: Jobs, renamed: str) -> None:
    query, table, counts = jobs.connection.query, f'{renamed}."~~double"', f'{renamed}."~job_counts"'
    for statement in (
        f"UPDATE {table} SET status = 'error' WHERE number < 3",
        f"DELETE FROM {table} WHERE number = 0",
        f"INSERT INTO {table} (number, status, priority) VALUES (0, 'ignore', 5)",
        *(
            f"UPDATE {table} SET status = '{status}' WHERE number = 5"
            for status in ("error", "pending") * 200
        ),
    ):
        query(statement)
    kept = query(f"SELECT status, sum(jobs)::int FROM {counts} GROUP BY 1 HAVING sum(jobs) <> 0")
    assert dict(kept) == {"pending": 3, "error": 2, "ignore": 1}
    assert query(f"SELECT count(*) FROM {counts}")[0][0] < 2000  # they were put together now and then
    query(f"TRUNCATE {table}")
    assert query(f"SELECT count(*) FROM {counts}") == [(0,)]
    assert query(f'SELECT count(*) FROM {jobs.table_model.name.schema}."~job_counts"') == [(0,)]


def test_a_queue_that_is_made_anew_counts_anew(jobs: Jobs, database: Database) -> None:
    jobs.refresh()
    database.query(f"DROP TABLE {jobs.queue.jobs}")
    assert jobs.progress() == EMPTY
    again = Jobs(jobs._target)
    assert again.refresh("number = 1")["added"] == 1
    assert again.progress()["total"] == 1
