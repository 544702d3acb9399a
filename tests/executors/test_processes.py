"""Processes of this machine: what dies with them, and what does not."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import Lock
from time import monotonic, sleep

import pytest

from djflow.errors import UnpicklableTaskError, WorkerSetupError
from djflow.executors import (
    Done,
    ProcessesExecutor,
    Started,
    Task,
    TaskContext,
    WorkerLost,
)
from djflow.testing.expectations import ending
from djflow.testing.tasks import Doubled, alive, crash, wait_for

linux = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.fixture
def one() -> Iterator[ProcessesExecutor]:
    with ProcessesExecutor(1) as executor:
        yield executor


def test_a_crash_says_where_it_was(one: ProcessesExecutor) -> None:
    one.submit(Task("a", crash))
    lost = ending(one, "a")
    assert isinstance(lost, WorkerLost)
    assert "in string_at" in lost.traceback
    assert "in crash" in lost.traceback


@linux
def test_a_process_that_died_idle_costs_nothing(one: ProcessesExecutor) -> None:
    one.submit(Task("a", lambda _: os.getpid()))
    first = ending(one, "a")
    assert isinstance(first, Done)
    os.kill(first.result, signal.SIGKILL)
    one.submit(Task("b", lambda _: os.getpid()))
    second = ending(one, "b")
    assert isinstance(second, Done)
    assert second.result != first.result


@linux
def test_signals_of_the_terminal_and_of_batch_systems_are_for_the_parent(
    one: ProcessesExecutor, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"

    def wait(_: TaskContext) -> int:
        wait_for(gate)
        return 1

    one.submit(Task("a", wait))
    started = one.next_event()
    assert isinstance(started, Started)
    pid = int(started.worker.split()[-1])
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    gate.touch()
    assert isinstance(ending(one, "a"), Done)


@linux
def test_programs_that_a_task_starts_have_their_signals(one: ProcessesExecutor) -> None:
    def end_a_program(_: TaskContext) -> int:
        with subprocess.Popen(["sleep", "60"]) as program:
            program.terminate()
            return program.wait(30)

    one.submit(Task("a", end_a_program))
    done = ending(one, "a")
    assert isinstance(done, Done)
    assert done.result == -signal.SIGTERM


@linux
def test_a_death_is_noticed_though_others_hold_the_connection(one: ProcessesExecutor) -> None:
    def leave_a_child(_: TaskContext) -> None:
        if os.fork() == 0:
            sleep(5)
            os._exit(0)
        os._exit(7)

    one.submit(Task("a", leave_a_child))
    lost = ending(one, "a")
    assert isinstance(lost, WorkerLost)
    assert "exit code 7" in lost.reason


def test_a_set_up_that_kills_the_process_does_not_repeat_for_ever() -> None:
    # A lambda travels by value; the function of a test module cannot be imported elsewhere.
    with ProcessesExecutor(1, setup=lambda: os._exit(5)) as executor:
        executor.submit(Task("a", Doubled(1)))
        with pytest.raises(WorkerSetupError, match="exit code 5"):
            executor.next_event()
        assert [task.id for task in executor.kill()] == ["a"]


@linux
def test_a_process_is_killed_while_it_is_set_up(tmp_path: Path) -> None:
    noted = tmp_path / "noted"

    def endless_setup() -> AbstractContextManager[None]:
        noted.with_suffix(".new").write_text(str(os.getpid()))
        noted.with_suffix(".new").rename(noted)
        sleep(600)
        return nullcontext()

    with ProcessesExecutor(1, setup=endless_setup) as executor:
        executor.submit(Task("a", Doubled(1)))
        wait_for(noted)
        assert [task.id for task in executor.kill()] == ["a"]
        assert executor.next_event() is None
    assert not alive(int(noted.read_text()))


def test_a_set_up_that_cannot_travel_is_refused_at_once() -> None:
    lock = Lock()
    with pytest.raises(UnpicklableTaskError, match="The set-up of workers cannot be sent"):
        ProcessesExecutor(1, setup=lambda: lock)


SCRIPT = """
import sys, time
from djflow.executors import ProcessesExecutor, Started, Task

class Work:  # of the script itself, which is not run again by the workers
    def __call__(self, context):
        context.report("at work")
        time.sleep(600)

with ProcessesExecutor(2) as executor:
    executor.submit(Task("a", Work()))
    executor.submit(Task("b", Work()))
    for event in executor.events():
        if isinstance(event, Started):
            print(event.worker.split()[-1], flush=True)
"""


@linux
def test_processes_end_with_their_parent_however_that_ends(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        assert all(map(alive, pids))
        parent.kill()
        until = monotonic() + 30
        while any(map(alive, pids)) and monotonic() < until:
            sleep(0.01)
    assert not any(map(alive, pids))


def test_threads_or_processes_import_neither_dask_nor_drivers() -> None:
    code = "import sys, djflow.executors; print([m for m in sys.modules if m.split('.')[0] in sys.argv])"
    heavy = ["dask", "distributed", "multiprocessing", "cloudpickle", "polars", "psycopg", "pyarrow"]
    ran = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_no_file_is_left_behind() -> None:
    before = set(Path(tempfile.gettempdir()).glob("djflow-crash-*"))
    with ProcessesExecutor(2) as executor:
        executor.submit(Task("a", Doubled(1)))
        executor.submit(Task("b", crash))
        list(executor.events())
    assert set(Path(tempfile.gettempdir()).glob("djflow-crash-*")) <= before
