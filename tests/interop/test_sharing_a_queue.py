"""DataJoint's workers and ours share a queue, whoever made it."""

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from tests.interop.peer import Peer
from tests.interop.pipeline import declare

import djflow as dj
from djflow.errors import LeaseLostError
from djflow.pipeline.queue import Jobs, Worker
from djflow.relation.database import Database

LAYOUT = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
  col_description(a.attrelid, a.attnum), obj_description(a.attrelid)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = 'lab."~~ana"'::regclass AND a.attnum > 0 AND left(a.attname, 1) <> '_' ORDER BY a.attnum
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = '~~ana' ORDER BY 1"
LINEAGE = "SELECT * FROM lab.\"~lineage\" WHERE table_name = '~~ana' ORDER BY 1, 2"


def layout(database: Database) -> list[Any]:
    return [list(database.query(query)) for query in (LAYOUT, INDEXES, LINEAGE)]


def test_our_queue_is_laid_out_as_datajoints(lab: Any, lab_database: Database) -> None:
    theirs = layout(lab_database)
    lab_database.query('DROP TABLE lab."~~ana"')
    assert lab_database.query("DELETE FROM lab.\"~lineage\" WHERE table_name = '~~ana' RETURNING 1")
    Jobs(lab.Ana()).refresh()
    assert layout(lab_database) == theirs


def test_a_queue_of_datajoint_is_completed_and_goes_on(lab: Any, lab_database: Database) -> None:
    jobs = Jobs(lab.Ana())
    before = jobs.errors.to_dicts()
    assert len(before) == 2
    assert jobs.progress()["error"] == 2  # without kept counts, and without making any
    jobs.errors.delete()
    theirs = layout(lab_database)
    assert jobs.refresh()["added"] == 2
    assert jobs.progress()["total"] == 2
    assert layout(lab_database) == theirs
    claim = jobs.queue.claim(1, Worker.here(), 60)
    assert len(claim) == 1


def works_on_it(dj: Any, schema: str) -> dict[str, Any]:
    tables = declare(dj, dj.Schema(schema))
    read = tables.Read
    before = read.jobs.progress()
    done = read.populate(reserve_jobs=True, refresh=False)
    read.jobs.refresh()
    return {"before": before, "done": done["success_count"], "after": read.jobs.progress()}


def test_datajoint_works_on_our_queue(ours: SimpleNamespace, schema: dj.Schema, peer: Peer) -> None:
    jobs = Jobs(ours.Read())
    (ours.Read()).delete(prompt=False)
    assert jobs.refresh() == {"added": 4, "removed": 0, "orphaned": 0, "re_pended": 0}
    claim = jobs.queue.claim(1, Worker.here(), 600)
    found = peer(works_on_it, declare, schema=schema.database)
    assert (found["before"]["pending"], found["before"]["reserved"]) == (3, 1)
    assert found["done"] == 3
    assert len(ours.Read()) == 3
    assert jobs.progress() == {"pending": 0, "reserved": 1, "success": 0, "error": 0, "ignore": 0, "total": 1}
    assert found["after"] == jobs.progress()
    jobs.queue.complete(claim, claim.keys)


def reserves(dj: Any, schema: str) -> bool:
    tables = declare(dj, dj.Schema(schema))
    tables.Read.jobs.refresh()
    return bool(tables.Read.jobs.reserve(tables.Read.jobs.pending.keys()[0]))


def test_what_datajoint_reserves_is_its_until_it_is_an_orphan(
    ours: SimpleNamespace, schema: dj.Schema, peer: Peer
) -> None:
    (ours.Read()).delete(prompt=False)
    assert peer(reserves, declare, schema=schema.database)
    jobs = Jobs(ours.Read())
    assert jobs.refresh(orphan_timeout=3600)["orphaned"] == 0
    assert len(jobs.queue.claim(9, Worker.here(), 600)) == 3
    assert jobs.refresh(orphan_timeout=0)["orphaned"] == 1
    assert len(jobs.queue.claim(9, Worker.here(), 600)) == 1


def takes_orphans(dj: Any, schema: str) -> int:
    import time

    tables = declare(dj, dj.Schema(schema))
    time.sleep(1.2)
    return int(tables.Read.jobs.refresh(orphan_timeout=1)["orphaned"])


def test_who_loses_a_job_to_datajoint_cannot_commit_it(
    ours: SimpleNamespace, schema: dj.Schema, peer: Peer
) -> None:
    (ours.Read()).delete(prompt=False)
    jobs = Jobs(ours.Read())
    jobs.refresh()
    claim = jobs.queue.claim(1, Worker.here(), 600)
    assert peer(takes_orphans, declare, schema=schema.database) == 1
    with pytest.raises(LeaseLostError):
        jobs.queue.complete(claim, claim.keys)
    assert jobs.progress()["pending"] == 4


def test_a_role_that_populates_shares_the_queue(
    ours: SimpleNamespace, schema: dj.Schema, server_url: str, connection: "psycopg.Connection[Any]"
) -> None:
    role = f"{schema.database}_ann"
    connection.execute(f'CREATE ROLE "{role}" LOGIN'.encode())
    try:
        schema.grant(role, "populator")
        jobs = Jobs(ours.Read())
        (ours.Read()).delete(prompt=False)
        jobs.refresh()
        with psycopg.connect(server_url, autocommit=True) as other:
            other.execute(f'SET ROLE "{role}"'.encode())
            other.execute(f"UPDATE {jobs.queue.jobs} SET status = 'ignore' WHERE session = 1".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute(f'DELETE FROM "{schema.database}"."~job_counts"'.encode())
            counts = f'SELECT count(*) FROM "{schema.database}"."~job_counts"'
            assert other.execute(counts.encode()).fetchone() != (0,)
        assert jobs.progress()["ignore"] == len(jobs.ignored) > 0
    finally:
        connection.execute(f'DROP OWNED BY "{role}"'.encode())
        connection.execute(f'DROP ROLE "{role}"'.encode())
