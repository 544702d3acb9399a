"""Processes that are killed in the middle of what they do leave the database as before, or as after."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import pytest
from tests.isolation.pipeline import archive, check_nothing_left_open
from tests.isolation.steps import held, held_after_inserts, waiting
from tests.isolation.victims import actions

from djflow.errors import ArchiveError, DjflowError, LostConnectionError, OutcomeUnknownError

ROOT: Final = Path(__file__).parents[2]
_CLIENTS: Final = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_AT_COMMIT: Final = """
CREATE OR REPLACE FUNCTION stop_here() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(4711); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER stop_at_commit AFTER DELETE ON {table} DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION stop_here()
"""

Gate = Callable[[SimpleNamespace], AbstractContextManager[None]]


def no_writing_to(table: str) -> Gate:
    """Stop who is about to write to a table."""
    return lambda lab: held(lab.observer, f'LOCK TABLE "{lab.schema}"."{table}" IN SHARE MODE')


def after_inserting_into(table: str) -> Gate:
    """Stop who has inserted into a table."""
    return lambda lab: held_after_inserts(lab.observer, f'"{lab.schema}"."{table}"')


@contextmanager
def committing(lab: SimpleNamespace) -> Iterator[None]:
    """Stop who is committing the delete of a session."""
    table = f'"{lab.schema}".session'
    lab.observer.execute(_AT_COMMIT.format(table=table).encode(), prepare=False)
    with held(lab.observer, "SELECT pg_advisory_xact_lock(4711)"):
        yield
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and waiting(lab.observer):
        time.sleep(0.002)
    lab.observer.execute(f"DROP TRIGGER stop_at_commit ON {table}".encode())


MOMENTS: Final = [
    pytest.param("delete", no_writing_to("remark"), id="a delete that begins"),
    pytest.param("delete", no_writing_to("session"), id="a delete in the middle"),
    pytest.param("delete", no_writing_to("subject"), id="a delete at its last table"),
    pytest.param("delete inside", no_writing_to("session"), id="a delete in a transaction"),
    pytest.param("delete", committing, id="a delete that commits"),
    pytest.param("delete quickly", no_writing_to("__count__item"), id="a quick delete"),
    pytest.param("insert many", after_inserting_into("session"), id="an insert"),
    pytest.param("replace many", no_writing_to("session"), id="a replacement"),
    pytest.param("update", no_writing_to("session"), id="an update"),
    pytest.param("populate", after_inserting_into("__count"), id="a make"),
    pytest.param("populate", after_inserting_into("__count__item"), id="a make with parts"),
    pytest.param("restore", after_inserting_into("session"), id="a restore"),
]


@pytest.fixture
def stage(lab: SimpleNamespace, tmp_path: Path) -> SimpleNamespace:
    """The pipeline, and an archive of some of its rows, which `restore` puts back."""
    lab.folder = tmp_path
    lab.actions = actions(tmp_path)
    return lab


def prepare(lab: SimpleNamespace, name: str) -> None:
    """Begin with what the action needs."""
    lab.begin()
    if name == "restore":
        if (lab.folder / "kept").exists():
            lab.a.does(lambda client: (client["Subject"] & {"subject": 1}).delete(prompt=False))
        else:
            lab.a.does(archive("Subject", lab.folder / "kept", subject=1))


def outcomes(lab: SimpleNamespace, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows before an action and after it."""
    prepare(lab, name)
    before = lab.content()
    lab.a.does(lab.actions[name])
    after = lab.content()
    prepare(lab, name)
    assert before != after
    assert lab.content() == before
    return before, after


@contextmanager
def running(lab: SimpleNamespace, name: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does it."""
    info = lab.observer.info
    login = {"host": info.host, "port": info.port, "user": info.user, "name": info.dbname}
    arguments = [str(lab.settings.home), json.dumps(login), lab.schema, str(lab.folder), name]
    command = [sys.executable, "-m", "tests.isolation.victims", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def until(condition: Callable[[], object], process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Return once something is so; a process that ends before is an error."""
    deadline = time.monotonic() + 30
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(process.stderr.read().decode() if process.stderr else process.returncode)
        assert time.monotonic() < deadline
        time.sleep(0.002)


def clients(lab: SimpleNamespace) -> set[int]:
    return {pid for (pid,) in lab.observer.execute(_CLIENTS)}


def kill_in_the_middle(lab: SimpleNamespace, name: str, gate: Gate) -> None:
    """Kill a process where it stands, and return when the server knows."""
    known = clients(lab)
    with gate(lab), running(lab, name) as process:
        until(lambda: waiting(lab.observer), process)
        process.kill()
        process.wait()
    until(lambda: clients(lab) <= known)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "gate"), MOMENTS)
def test_a_process_killed_in_the_middle_leaves_all_or_nothing(
    stage: SimpleNamespace, name: str, gate: Gate
) -> None:
    before, after = outcomes(stage, name)
    kill_in_the_middle(stage, name, gate)
    found = stage.content()
    stage.check()
    check_nothing_left_open(stage.observer)
    assert found in (before, after)
    if found == before:
        stage.b.does(stage.actions[name])
        assert stage.content() == after


def test_an_archive_of_a_delete_that_was_killed_can_be_put_back_onto_itself(stage: SimpleNamespace) -> None:
    before = stage.content()
    kill_in_the_middle(stage, "delete and keep", no_writing_to("session"))
    assert stage.content() == before
    kept = stage.folder / "kept"
    summary = stage.b.does(lambda client: client.schema.restore(kept, on_conflict="match"))
    assert set(summary.inserted.values()) == {0}
    assert stage.content() == before


def test_an_alteration_that_is_killed_changes_no_table(own_lab: SimpleNamespace, tmp_path: Path) -> None:
    lab = own_lab
    lab.folder, lab.actions = tmp_path, actions(tmp_path)
    before = lab.content()
    kill_in_the_middle(lab, "alter", no_writing_to("~lineage"))
    assert lab.content() == before
    lab.check()
    check_nothing_left_open(lab.observer)
    lab.b.does(lab.actions["alter"])
    assert [row[:2] for row in lab.content()["Session"]] == [row[:2] for row in before["Session"]]
    lab.check()


def test_a_dump_that_is_killed_leaves_no_archive_or_a_whole_one(stage: SimpleNamespace) -> None:
    stage.observer.execute(
        f'INSERT INTO "{stage.schema}".session SELECT 2, n, 0 FROM generate_series(10, 60000) n'.encode()
    )
    before, whole = stage.content(), stage.folder / "whole"
    partial = whole.with_name("whole.partial")
    known = clients(stage)
    with running(stage, "dump") as process:
        until(partial.exists, process)
        process.kill()
        process.wait()
    until(lambda: clients(stage) <= known)
    check_nothing_left_open(stage.observer)
    if not whole.exists():
        error = stage.b.refuses(stage.actions["dump"], ArchiveError)
        assert "Remove it" in str(error)
        for file in sorted(partial.rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        partial.rmdir()
        stage.b.does(stage.actions["dump"])
    stage.begin()
    stage.b.does(lambda client: client["Subject"].delete(prompt=False))
    stage.b.does(lambda client: client["Note"].delete(prompt=False))
    stage.b.does(stage.actions["restore whole"])
    assert stage.content() == before


# connections that the server ends

ENDED: Final = [
    pytest.param("delete", no_writing_to("session"), (), id="a delete"),
    pytest.param("delete inside", no_writing_to("session"), (LostConnectionError,), id="inside"),
    pytest.param(
        "delete quickly", no_writing_to("__count__item"), (OutcomeUnknownError,), id="a quick delete"
    ),
    pytest.param("insert many", after_inserting_into("session"), (LostConnectionError,), id="an insert"),
    pytest.param("replace many", no_writing_to("session"), (LostConnectionError,), id="a replacement"),
    pytest.param("update", no_writing_to("session"), (LostConnectionError,), id="an update"),
    pytest.param("populate", after_inserting_into("__count__item"), (), id="a make"),
    pytest.param("restore", after_inserting_into("session"), (LostConnectionError,), id="a restore"),
    pytest.param("delete", committing, (OutcomeUnknownError,), id="a commit"),
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("name", "gate", "errors"), ENDED)
def test_a_connection_ended_in_the_middle_is_an_error_or_another_attempt(
    stage: SimpleNamespace, name: str, gate: Gate, errors: tuple[type[DjflowError], ...]
) -> None:
    before, after = outcomes(stage, name)
    with gate(stage):
        stage.a.blocks(stage.actions[name])
        stage.observer.execute("SELECT pg_terminate_backend(%s, 5000)", [stage.a.pid])
    if errors:
        stage.a.fails(*errors)
    else:
        stage.a.finishes()
    assert stage.content() == (before if errors else after)
    stage.check()
    stage.a.rest()
    check_nothing_left_open(stage.observer)
    if errors:
        stage.a.does(stage.actions[name])
        assert stage.content() == after
