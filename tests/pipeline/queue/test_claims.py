"""What workers take is theirs as long as their lease lasts, and nobody else can commit it."""

import pickle
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from djflow.configuration import changed
from djflow.errors import InvalidArgumentError, LeaseLostError
from djflow.pipeline.queue import Claim, Failure, Jobs, Queue, Worker
from djflow.pipeline.queue.transitions import Status
from djflow.sql import job_changes
from djflow.storage import blob

HERE = Worker("bench", 7)


def end_leases(queue: Queue) -> None:
    queue.database.query(f"UPDATE {queue.jobs} SET _lease_end = clock_timestamp() - interval '1 s'")


def numbers(claim: Claim) -> list[int]:
    return [key["number"] for key in claim.keys]


def test_jobs_are_taken_once(queue: Queue) -> None:
    first, second, third = (queue.claim(4, HERE, 60) for _ in range(3))
    assert numbers(first) + numbers(second) == list(range(6))
    assert len(third) == 0
    assert first.token != second.token


def test_a_claim_notes_who_took_the_job(queue: Queue, jobs: Jobs) -> None:
    queue.claim(1, HERE, 60)
    row = jobs.reserved.fetch1()
    assert (row["host"], row["pid"], row["status"]) == ("bench", 7, "reserved")
    [(user, connection)] = queue.database.query("SELECT current_user::text, pg_backend_pid()")
    assert (row["user"], row["connection_id"]) == (user, connection)
    assert row["created_time"] <= row["reserved_time"]


def versioned(queue: Queue, monkeypatch: pytest.MonkeyPatch, method: str | None) -> None:
    settings = changed(queue.database.settings, {"jobs": {"version_method": method}})
    monkeypatch.setattr(queue.database, "_settings", lambda: settings)


def test_a_job_notes_the_version_of_the_code_until_it_is_given_back(
    queue: Queue, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = ["-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "--allow-empty", "-m", "m"]
    for command in (["init", "-q"], commit):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    told = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True)
    head = told.stdout.decode()[:12]
    monkeypatch.chdir(tmp_path)
    versioned(queue, monkeypatch, "git")
    claim = queue.claim(2, HERE, 60)
    queue.reserve([{"number": 2}], HERE)
    assert jobs.reserved.to_arrays("version").tolist() == [head] * 3
    queue.release(claim, [claim.keys[0]])
    queue.fail(claim, [Failure(claim.keys[1], "boom")])
    queue.finish({"number": 2}, keep=True)
    versions = dict(zip(*jobs.to_arrays("status", "version"), strict=True))
    assert versions == {"pending": "", "error": head, "success": head}


@pytest.mark.parametrize("method", [None, "none"])
def test_no_program_is_asked_for_a_version_that_nobody_wants(
    queue: Queue, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, method: str | None
) -> None:
    versioned(queue, monkeypatch, method)
    monkeypatch.setenv("PATH", "")
    queue.claim(1, HERE, 60)
    assert jobs.reserved.fetch1("version") == ""


def test_the_urgent_come_first_and_those_that_are_due_later_wait(jobs: Jobs) -> None:
    jobs.refresh({"number": 3}, delay=1000)
    jobs.refresh({"number": 5}, priority=0)
    jobs.refresh()
    assert numbers(jobs.queue.claim(1, HERE, 60, max_priority=2)) == [5]
    assert numbers(jobs.queue.claim(1, HERE, 60, max_priority=2)) == []
    assert sorted(numbers(jobs.queue.claim(9, HERE, 60))) == [0, 1, 2, 4]


def test_who_finds_nothing_can_ask_how_long_to_wait(jobs: Jobs) -> None:
    assert jobs.queue.next_due() is None
    jobs.refresh(delay=1000)
    assert 990 < (jobs.queue.next_due() or 0) <= 1000
    jobs.delete()
    jobs.refresh()
    assert jobs.queue.next_due() == 0


def test_a_claim_can_be_narrowed_by_any_relation(queue: Queue, double: Any) -> None:
    even = double.number() & {"parity": "even"} & "number < 4"
    assert numbers(queue.claim(9, HERE, 60, among=even, max_priority=9)) == [0, 2]


def test_jobs_that_others_are_taking_are_passed_over(queue: Queue, server_url: str) -> None:
    with psycopg.connect(server_url) as other:
        statement = f"SELECT 1 FROM {queue.jobs} WHERE number < 4 FOR UPDATE"
        other.execute(statement.encode())
        assert numbers(queue.claim(9, HERE, 60)) == [4, 5]


def test_a_result_and_the_end_of_its_job_commit_together(queue: Queue, double: Any, jobs: Jobs) -> None:
    claim = queue.claim(2, HERE, 60)
    with queue.database.transaction:
        double.insert([{**key, "double": 0} for key in claim.keys], allow_direct_insert=True)
        queue.complete(claim, claim.keys)
    assert double.to_arrays("number").tolist() == [0, 1]
    assert jobs.progress() == {"pending": 4, "reserved": 0, "success": 0, "error": 0, "ignore": 0, "total": 4}


def test_done_jobs_can_be_kept(queue: Queue, jobs: Jobs) -> None:
    claim = queue.claim(2, HERE, 60)
    queue.complete(claim, claim.keys, [1.5, None], keep=True)
    assert jobs.completed.to_arrays("duration").tolist()[0] == 1.5
    assert len(jobs.completed & "completed_time is not null") == 2


def test_who_lost_a_lease_cannot_commit(queue: Queue, double: Any) -> None:
    late = queue.claim(2, HERE, 60)
    end_leases(queue)
    assert queue.expire() == (2, 0)
    newer = [queue.claim(6, Worker("other", 8), 60, among=double.number() & key) for key in late.keys]
    assert [each.keys for each in newer] == [(key,) for key in late.keys]
    with pytest.raises(LeaseLostError) as caught, queue.database.transaction:  # noqa: PT012 - what it undoes
        double.insert([{**key, "double": 0} for key in late.keys], allow_direct_insert=True)
        queue.complete(late, late.keys)
    assert caught.value.keys == list(late.keys)
    assert caught.value.table == str(double.table_model.name)
    assert pickle.loads(pickle.dumps(caught.value)).keys == caught.value.keys  # noqa: S301 - our own
    assert len(double) == 0
    for each in newer:
        queue.complete(each, each.keys)


def test_a_lease_that_ended_unnoticed_still_commits(queue: Queue) -> None:
    claim = queue.claim(2, HERE, 60)
    end_leases(queue)
    queue.complete(claim, claim.keys)


def test_a_heartbeat_keeps_a_lease_and_tells_which_are_lost(queue: Queue) -> None:
    kept, lost = queue.claim(2, HERE, 60), queue.claim(2, HERE, 60)
    end_leases(queue)
    assert queue.heartbeat([kept.token], 60) == frozenset()
    assert queue.expire() == (2, 0)
    assert queue.heartbeat([kept.token, lost.token], 60) == {lost.token}
    assert queue.heartbeat([], 60) == frozenset()


def test_what_is_being_committed_neither_expires_nor_holds_a_heartbeat_up(
    queue: Queue, server_url: str
) -> None:
    claim = queue.claim(2, HERE, 60)
    end_leases(queue)
    with psycopg.connect(server_url) as other:
        other.execute(f"DELETE FROM {queue.jobs} WHERE _token = %s".encode(), [claim.token])
        assert queue.expire() == (0, 0)
        assert queue.heartbeat([claim.token], 60) == frozenset()
        other.rollback()
    queue.complete(claim, claim.keys)


def test_a_failure_is_noted_with_its_cause(queue: Queue, jobs: Jobs) -> None:
    claim = queue.claim(2, HERE, 60)
    failures = [Failure(claim.keys[0], "boom\0" + "x" * 3000, "line 1\nline 2"), Failure({"number": 5}, "no")]
    assert queue.fail(claim, failures) == [Status.ERROR, None]
    row = jobs.errors.fetch1()
    assert (len(row["error_message"]), row["error_stack"]) == (2047, "line 1\nline 2")
    assert row["completed_time"] is not None
    stored = f"SELECT error_stack FROM {queue.jobs} WHERE status = 'error'"
    assert blob.unpack(queue.database.query(stored)[0][0]) == "line 1\nline 2"


def test_what_may_succeed_later_is_tried_again_but_not_for_ever(queue: Queue, jobs: Jobs) -> None:
    for expected in (Status.PENDING, Status.PENDING, Status.ERROR):
        claim = queue.claim(1, HERE, 60)
        assert numbers(claim) == [0] or expected is not Status.ERROR
        others = queue.claim(9, HERE, 60)
        queue.release(others)
        assert queue.fail(claim, [Failure(claim.keys[0], "busy", is_transient=True)]) == [expected]
        queue.database.query(f"UPDATE {queue.jobs} SET scheduled_time = '2000-01-01' WHERE number = 0")
    assert jobs.errors.keys() == [{"number": 0}]


def test_a_pause_before_the_next_try_is_bounded(jobs: Jobs) -> None:
    jobs.refresh()
    claim = jobs.queue.claim(6, HERE, 60)
    jobs.queue.fail(claim, [Failure(key, "busy", is_transient=True) for key in claim.keys])
    late = "SELECT max(extract(epoch FROM scheduled_time - statement_timestamp()::timestamp))::float8"
    [(seconds,)] = jobs.queue.database.query(f"{late} FROM {jobs.queue.jobs} WHERE status = 'pending'")
    assert seconds <= jobs.queue.retries.longest_pause(1)


def test_a_key_that_ends_its_workers_is_given_up(queue: Queue, jobs: Jobs) -> None:
    for expected in ((1, 0), (1, 0), (0, 1)):
        claim = queue.claim(1, HERE, 60, among=jobs & {"number": 0})
        assert numbers(claim) == [0]
        end_leases(queue)
        assert queue.expire() == expected
    assert "3 times" in jobs.errors.fetch1("error_message")


def test_what_may_have_ended_its_worker_is_tried_alone(queue: Queue) -> None:
    queue.claim(2, HERE, 60)
    end_leases(queue)
    queue.expire()
    claims = [numbers(queue.claim(9, HERE, 60)) for _ in range(6)]
    assert sorted(number for claim in claims for number in claim) == list(range(6))
    assert [0] in claims
    assert [1] in claims


def test_what_is_given_back_was_not_tried(queue: Queue, jobs: Jobs) -> None:
    claim = queue.claim(3, HERE, 60)
    assert queue.release(claim, claim.keys[:1]) == 1
    assert queue.release(claim) == 2
    [(tried,)] = queue.database.query(f"SELECT sum(_attempts) FROM {queue.jobs}")
    assert tried == 0
    assert len(jobs.pending & "reserved_time is null") == 6


def test_jobs_of_workers_without_a_lease_are_taken_from_them_only_when_asked(
    queue: Queue, jobs: Jobs
) -> None:
    assert jobs.reserve({"number": 0})
    assert not jobs.reserve({"number": 0})
    assert queue.expire() == (0, 0)
    assert queue.expire(orphan_timeout=1000) == (0, 0)
    queue.database.query(f"UPDATE {queue.jobs} SET reserved_time = reserved_time - interval '1 h'")
    assert queue.expire(orphan_timeout=1000) == (1, 0)


def test_a_claim_takes_something_for_some_time(queue: Queue) -> None:
    with pytest.raises(InvalidArgumentError, match="not 0 for"):
        queue.claim(0, HERE, 60)


def test_a_claim_reads_the_first_of_the_queue_alone(queue: Queue) -> None:
    """So it is with many rows; with few, reading all of them is quicker."""
    from djflow.pipeline.queue.statements import change
    from djflow.pipeline.queue.transitions import Event

    database = queue.database
    database.query(
        f"INSERT INTO {queue.jobs} (number, status, priority)"
        " SELECT n, 'pending', n % 10 FROM generate_series(10, 20000) n"
    )
    text = job_changes.claim(queue.jobs, change(Event.CLAIM))
    for number, value in enumerate(("64", "1", "1.0", "'bench'", "7", "''"), 1):
        text = text.replace(f"${number}", value)
    lines = [line for (line,) in database.query(f"EXPLAIN {text}")]
    assert any("status_priority_scheduled_time" in line for line in lines)
    assert not any("Seq Scan" in line for line in lines)
