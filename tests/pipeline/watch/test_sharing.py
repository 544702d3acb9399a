"""Watchers of one table in several processes, and what they leave behind."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from djflow.pipeline.watch import Change, Watch
from djflow.tables.schema import Schema

Traces = Callable[[], tuple[int, int]]
SOON = 20.0
# A process that watches for as long as its standard input is open.
_WATCHER = """
import sys
import djflow as dj
from djflow.pipeline.watch import Watch
table = dj.FreeTable(dj.conn(), sys.argv[1])
with Watch(table.connection, [table.table_model]) as watching:
    print("watching", flush=True)
    sys.stdin.read()
print("left", flush=True)
"""
# A process that comes and goes, and while it is there hears of what it inserts.
_VISITOR = """
import random, sys, time
import djflow as dj
from djflow.pipeline.watch import Watch
table, own, visits = dj.FreeTable(dj.conn(), sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for visit in range(visits):
    with Watch(table.connection, [table.table_model]) as watching:
        table.insert1({"subject": visit, "name": f"of {own}"})
        heard, end = False, time.monotonic() + 20
        while not heard and time.monotonic() < end:
            for change in watching.changes(1):
                heard |= change.keys is None or (visit, f"of {own}") in change.keys.rows()
        assert heard, visit
    time.sleep(random.random() * 0.01)
print("done", flush=True)
"""


def started(
    program: str, subject: Any, environment: dict[str, str], *arguments: str
) -> "subprocess.Popen[str]":
    name = subject.table_model.name
    command = [sys.executable, "-c", program, f"{name.schema}.{name.table}", *arguments]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


@contextmanager
def watcher(subject: Any, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    with started(_WATCHER, subject, environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "watching\n"
        try:
            yield process
        finally:
            process.kill()


def wait_for(traces: Traces, expected: tuple[int, int]) -> None:
    end = time.monotonic() + SOON
    while traces() != expected and time.monotonic() < end:
        time.sleep(0.01)
    assert traces() == expected


def own(subject: Any) -> Watch:
    return Watch(subject.connection, [subject.table_model])


def test_the_last_of_several_processes_removes_the_trigger(
    subject: Any, traces: Traces, process_environment: dict[str, str]
) -> None:
    with watcher(subject, process_environment) as other:
        with own(subject) as watching:
            assert traces() == (1, 1)
            subject.insert1((1, "ann", None))
            assert len(watching.changes(SOON)) == 1
        assert traces() == (1, 1)
        said, _ = other.communicate("")
        assert said == "left\n"
        assert traces() == (0, 0)


def test_who_is_killed_leaves_what_the_next_one_removes(
    subject: Any, traces: Traces, process_environment: dict[str, str]
) -> None:
    with watcher(subject, process_environment) as other:
        other.kill()
        other.wait()
    subject.insert1((1, "ann", None))
    assert traces() == (1, 1)
    with own(subject) as watching:
        subject.insert1((2, "ben", None))
        [change] = watching.changes(SOON)
        assert change.keys is not None
        assert change.keys["subject"].to_list() == [2]
    wait_for(traces, (0, 0))


def test_one_that_is_killed_takes_nothing_from_those_who_stay(
    subject: Any, traces: Traces, process_environment: dict[str, str]
) -> None:
    with own(subject) as watching:
        with watcher(subject, process_environment) as other:
            other.kill()
            other.wait()
        subject.insert1((1, "ann", None))
        assert len(watching.changes(SOON)) == 1
    wait_for(traces, (0, 0))


def test_whoever_comes_while_others_leave_hears_of_every_insert(
    subject: Any, traces: Traces, process_environment: dict[str, str]
) -> None:
    visitors = [started(_VISITOR, subject, process_environment, str(n), "15") for n in range(4)]
    assert [visitor.communicate()[0] for visitor in visitors] == ["done\n"] * 4
    assert traces() == (0, 0)


def test_two_watches_of_one_process_share_the_trigger(subject: Any, traces: Traces) -> None:
    with own(subject) as first:
        with own(subject) as second:
            subject.insert1((1, "ann", None))
            assert len(first.changes(SOON)) == len(second.changes(SOON)) == 1
        assert traces() == (1, 1)
        subject.insert1((2, "ben", None))
        assert len(first.changes(SOON)) == 1
    assert traces() == (0, 0)


def test_a_watch_can_be_entered_again(subject: Any, traces: Traces) -> None:
    watch = own(subject)
    for n in range(2):
        with watch:
            subject.insert1((n, "ann", None))
            assert len(watch.changes(SOON)) == 1
        assert traces() == (0, 0)


def test_watchers_who_know_a_table_differently_mistake_no_key(subject: Any, traces: Traces) -> None:
    model = subject.table_model
    swapped = replace(model, columns=(model.columns[1], model.columns[0], *model.columns[2:]))
    with own(subject) as first:
        with Watch(subject.connection, [swapped]) as second:
            subject.insert1((1, "ann", None))
            [change] = second.changes(SOON)
            assert change.keys is not None
            assert change.keys.to_dicts() == [{"name": "ann", "subject": 1}]
            assert first.changes(SOON) == [Change(model.name, None)]
        assert traces() == (1, 1)
    assert traces() == (0, 0)


def test_triggers_of_another_schema_stay(subject: Any, schema: Schema, traces: Traces) -> None:
    with own(subject):
        schema.connection.query(
            f'CREATE FUNCTION "{schema.database}"."~watched"() RETURNS trigger LANGUAGE plpgsql'
            " AS 'BEGIN RETURN NULL; END'"
        )
    assert traces() == (0, 1)
