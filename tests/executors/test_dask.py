"""Tasks on a cluster: the laws of executors, and what a cluster can do to them."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from djflow.errors import ClusterLostError, ExecutorError
from djflow.executors import (
    DaskExecutor,
    Done,
    Executor,
    Failed,
    Message,
    Started,
    Task,
    TaskContext,
    WorkerLost,
)
from djflow.testing.executors import ExecutorContract
from djflow.testing.expectations import ending
from djflow.testing.tasks import Alone, Doubled, alive, report_process_and_stay, work_until_stopped

pytest.importorskip("distributed")


class TestDask(ExecutorContract):
    has_resources = False  # those of a cluster are its workers'

    @pytest.fixture(autouse=True)
    def of_the_session(self, cluster: Any) -> None:
        self.cluster = cluster

    def make(self, **options: Any) -> Executor:
        return DaskExecutor(self.cluster, **options)


def test_dask_never_runs_a_task_again(cluster: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"

    def die_noted(_: TaskContext) -> None:
        with log.open("a") as file:
            file.write("x")
        os._exit(1)

    with DaskExecutor(cluster) as executor:
        executor.submit(Task("poison", die_noted))
        for number in range(20):
            executor.submit(Task(str(number), Doubled(number)))
        events = list(executor.events())
    assert log.read_text() == "x"
    ends = [event for event in events if isinstance(event, Done | Failed | WorkerLost)]
    assert sorted(event.task.id for event in ends if isinstance(event, Done)) == sorted(map(str, range(20)))
    (lost,) = [event for event in ends if isinstance(event, WorkerLost)]
    assert (lost.task.id, lost.began) == ("poison", True)
    assert lost.worker.startswith("tcp://")


def test_executors_of_one_cluster_do_not_disturb_each_other(cluster: Any) -> None:
    with DaskExecutor(cluster) as one, DaskExecutor(cluster) as other:
        one.submit(Task("a", work_until_stopped))
        other.submit(Task("a", Doubled(4)))
        assert getattr(ending(other, "a"), "result", None) == 8
        assert isinstance(one.next_event(), Started)
        one.stop()
        assert getattr(ending(one, "a"), "result", None) == "stopped"


def test_nothing_stays_in_the_cluster(cluster: Any) -> None:
    def kept(dask_scheduler: Any) -> list[object]:
        keeper = dask_scheduler.plugins["djflow-tasks-1"]
        topics = [name for name in dask_scheduler._broker._topics if name.startswith("djflow-")]
        tasks = [key for key in dask_scheduler.tasks if str(key).startswith("djflow-")]
        return [*keeper._workers, *keeper._runs, *keeper._clients, *topics, *tasks]

    with DaskExecutor(cluster) as executor:
        for number in range(10):
            executor.submit(Task(str(number), Doubled(number)))
        list(executor.events())
        assert [*executor._tasks, *executor._futures, *executor._begun] == []
    until = monotonic() + 30
    while cluster.run_on_scheduler(kept) and monotonic() < until:
        sleep(0.1)
    assert cluster.run_on_scheduler(kept) == []
    assert left_behind(cluster) == []
    assert dict(cluster.futures) == {}


def test_no_scheduler_is_a_typed_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("djflow.executors.dask.connection._ANSWER", 0.5)
    with (
        pytest.raises(ClusterLostError, match="No Dask scheduler answers"),
        DaskExecutor("tcp://127.0.0.1:1"),
    ):
        pass


def test_an_asynchronous_client_is_refused(cluster: Any) -> None:
    async def use() -> None:
        import distributed

        make: Any = distributed.Client
        async with make(cluster.scheduler.address, asynchronous=True, set_as_default=False) as client:
            with pytest.raises(ExecutorError, match="asynchronous"), DaskExecutor(client):
                pass

    asyncio.run(use())


def test_an_own_cluster_has_resources_and_ends_with_its_executor(tmp_path: Path) -> None:
    with DaskExecutor(workers=1, resources={"gpu": 1}) as executor:
        for name in "abc":
            executor.submit(Task(name, Alone(tmp_path / "gpu"), {"gpu": 1}))
        assert {type(event) for event in executor.events()} == {Started, Done}
        executor.submit(Task("long", report_process_and_stay))
        assert isinstance(executor.next_event(), Started)
        message = executor.next_event()
        assert isinstance(message, Message)
        assert [task.id for task in executor.kill()] == ["long"]
    until = monotonic() + 30
    while alive(message.payload) and monotonic() < until:
        sleep(0.01)
    assert not alive(message.payload)


@contextmanager
def scheduler_apart(folder: Path) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A scheduler with one worker, as programs of their own."""
    with ExitStack() as stack:

        def start(*arguments: str) -> "subprocess.Popen[bytes]":
            command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.kill)
            return process

        scheduler = start("scheduler", "--port", "0", "--scheduler-file", str(folder / "scheduler.json"))
        address = address_in(folder / "scheduler.json")
        start("worker", address, "--nthreads", "1")
        yield address, scheduler


def address_in(file: Path) -> str:
    """The address that a scheduler writes into a file, which appears before its content does."""
    until = monotonic() + 30
    while monotonic() < until:
        with suppress(FileNotFoundError, json.JSONDecodeError):
            return str(json.loads(file.read_text())["address"])
        sleep(0.02)
    raise TimeoutError(file)


def test_a_scheduler_that_dies_is_told_at_once(tmp_path: Path) -> None:
    with scheduler_apart(tmp_path) as (address, scheduler), DaskExecutor(address) as executor:
        executor.submit(Task("a", Doubled(2)))
        assert getattr(ending(executor, "a"), "result", None) == 4
        executor.submit(Task("b", work_until_stopped))
        assert isinstance(executor.next_event(), Started)
        scheduler.kill()
        with pytest.raises(ClusterLostError):
            executor.next_event()
        assert [task.id for task in executor.kill()] == ["b"]


def left_behind(cluster: Any) -> list[str]:
    """What workers still have of executors."""

    def plugins(dask_worker: Any) -> list[str]:
        return [name for name in dask_worker.plugins if name.startswith("djflow-")]

    return [name for names in cluster.run(plugins).values() for name in names]


CLIENT = """
import sys
from pathlib import Path
from djflow.executors import DaskExecutor, Started, Task
from djflow.testing.tasks import LoggedSetup, work_until_stopped

with DaskExecutor(sys.argv[1], setup=LoggedSetup(Path(sys.argv[2]))) as executor:
    executor.submit(Task("a", work_until_stopped))
    for event in executor.events():
        print(isinstance(event, Started), flush=True)
"""


def test_workers_leave_the_set_up_of_a_program_that_died(cluster: Any, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", CLIENT, cluster.scheduler.address, str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "True\n"
        assert left_behind(cluster) != []
        program.kill()
    until = monotonic() + 30
    while (left_behind(cluster) or "leave" not in log.read_text()) and monotonic() < until:
        sleep(0.1)
    assert left_behind(cluster) == []
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["enter", "leave"]


def test_tasks_that_wait_for_workers_to_come_are_told_once(
    cluster: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", "djflow.executors"), DaskExecutor(cluster) as executor:
        for number in range(2):
            executor.submit(Task(str(number), Doubled(1), {"telescope": 2}))
        executor.submit(Task("plain", Doubled(1)))
        assert len(executor.cancel_pending()) >= 2
    told = [record.message for record in caplog.records if record.name.startswith("djflow.executors")]
    assert told == [
        "No worker of the cluster has telescope=2: tasks wait until one comes that was started with it."
    ]
