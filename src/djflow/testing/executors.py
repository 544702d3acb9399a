"""What every executor must do.

```python
class TestMyExecutor(ExecutorContract):
    survives = True  # the death of a worker costs one task

    def make(self, **options: Any) -> Executor:
        return MyExecutor(2, **options)
```
"""

# ruff: noqa: S101 - these are tests
from collections import Counter
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from djflow.errors import ExecutorError, UnpicklableTaskError, WorkerSetupError
from djflow.executors import Done, Executor, Failed, Message, Run, Started, Task, WorkerLost
from djflow.testing.expectations import ending, raises
from djflow.testing.tasks import (
    LONG,
    Alone,
    Doubled,
    LoggedSetup,
    Meet,
    OddError,
    UnshownError,
    WaitFor,
    crash,
    exhaust_memory,
    failing_setup,
    kill_itself,
    leave,
    leave_at_once,
    make_lock,
    raise_odd_error,
    raise_unshown_error,
    raise_value_error,
    report_thrice,
    state_of_worker,
    work_until_stopped,
)


class ExecutorContract:
    """The laws of an `Executor`; a test class inherits them and says how to `make` one with two slots.

    `options` are `setup` and `resources`, as the executors of djflow take them.
    """

    is_concurrent: ClassVar[bool] = True
    is_elsewhere: ClassVar[bool] = True
    """Tasks run in other processes: what cannot be pickled is refused, and a crash is survived."""
    has_resources: ClassVar[bool] = True

    def make(self, **options: Any) -> Executor:
        """An executor that was not entered yet, and a second one beside it must not disturb it."""
        raise NotImplementedError

    def test_every_task_begins_and_ends_once(self) -> None:
        """Results belong to their tasks."""
        with self.make() as executor:
            for number in range(20):
                executor.submit(Task(str(number), Doubled(number)))
            events = list(executor.events())
            assert executor.in_flight == 0
        done = {event.task.id: event.result for event in events if isinstance(event, Done)}
        assert done == {str(number): 2 * number for number in range(20)}
        assert Counter(type(event) for event in events) == {Started: 20, Done: 20}

    def test_the_events_of_a_task_are_in_order(self) -> None:
        """It starts, reports, ends."""
        with self.make() as executor:
            for name in "abc":
                executor.submit(Task(name, report_thrice))
            events = list(executor.events())
        for name in "abc":
            started, *messages, done = [event for event in events if event.task.id == name]
            assert isinstance(started, Started)
            assert isinstance(done, Done)
            assert [event.payload for event in messages if isinstance(event, Message)] == [
                {"number": number} for number in range(3)
            ]

    def test_nothing_happens_where_nothing_is_in_flight(self) -> None:
        """Waiting for events then returns at once, also after earlier tasks."""
        with self.make() as executor:
            assert executor.next_event() is None
            executor.submit(Task("a", Doubled(1)))
            assert len(list(executor.events())) == 2  # noqa: PLR2004 - started, done
            assert executor.next_event() is None
            executor.submit(Task("a", Doubled(2)))
            assert ending(executor, "a") == Done(Task("a", Doubled(2)), 4)

    def test_an_exception_is_told_and_the_rest_goes_on(self) -> None:
        """With its type, message and traceback, whatever exception it is."""
        causes: dict[str, tuple[Run, str, str]] = {
            "value": (raise_value_error, "ValueError", "no such rat"),
            "memory": (exhaust_memory, "MemoryError", ""),
            "exit": (leave, "SystemExit", "3"),
            "odd": (raise_odd_error, f"{OddError.__module__}.OddError", "odd"),
            "unshown": (
                raise_unshown_error,
                f"{UnshownError.__module__}.UnshownError",
                "(an exception that cannot be shown)",
            ),
        }
        with self.make() as executor:
            for name, (run, _, _) in causes.items():
                executor.submit(Task(name, run))
            executor.submit(Task("good", Doubled(1)))
            events = {event.task.id: event for event in executor.events() if isinstance(event, Done | Failed)}
        assert isinstance(events["good"], Done)
        for name, (run, kind, message) in causes.items():
            failed = events[name]
            assert isinstance(failed, Failed)
            assert (failed.failure.kind, failed.failure.message) == (kind, message), name
            assert str(getattr(run, "__name__", "")) in failed.failure.traceback

    def test_an_exception_that_can_travel_arrives(self) -> None:
        """As an object with its attributes."""
        with self.make() as executor:
            executor.submit(Task("a", raise_value_error))
            failed = ending(executor, "a")
        assert isinstance(failed, Failed)
        assert isinstance(failed.failure.exception, ValueError)
        assert failed.failure.exception.args == ("no such rat",)

    def test_a_worker_is_set_up_once(self, tmp_path: Path) -> None:
        """Before its first task, and left after its last."""
        log = tmp_path / "log"
        with self.make(setup=LoggedSetup(log)) as executor:
            for number in range(12):
                executor.submit(Task(str(number), state_of_worker))
            states = [event.result for event in executor.events() if isinstance(event, Done)]
        lines = log.read_text().splitlines()
        entered = [line for line in lines if line.startswith("enter")]
        assert {f"enter {state}" for state in states} == set(entered)
        assert len(entered) == len(set(entered)) <= executor.slots
        assert sorted(line.replace("leave", "enter") for line in lines if line.startswith("leave")) == sorted(
            entered
        )

    def test_a_set_up_that_fails_is_no_error_of_a_task(self) -> None:
        """The executor says that it cannot work, and gives its tasks back."""
        with raises(WorkerSetupError) as caught, self.make(setup=failing_setup) as executor:
            executor.submit(Task("a", Doubled(1)))
            try:
                list(executor.events())
            finally:
                assert [task.id for task in executor.kill()] == ["a"]
        assert "no database" in str(caught[0])
        assert "failing_setup" in getattr(caught[0], "traceback", "")

    def test_waiting_tasks_are_taken_back(self, tmp_path: Path) -> None:
        """Those that run go on."""
        with self.make() as executor:
            gate = tmp_path / "gate"
            for number in range(10):
                executor.submit(Task(str(number), WaitFor(gate)))
            if self.is_concurrent:
                first = executor.next_event(LONG)
                assert isinstance(first, Started)
            taken = {task.id for task in executor.cancel_pending()}
            gate.touch()
            events = list(executor.events())
            done = {event.task.id for event in events if isinstance(event, Done)}
            assert len(taken) >= 10 - executor.slots, events
        assert taken.isdisjoint(done)
        assert taken | done == {str(number) for number in range(10)}

    def test_a_running_task_is_asked_to_stop(self) -> None:
        """And ends as it likes; no other begins."""
        if not self.is_concurrent:
            return
        with self.make() as executor:
            executor.submit(Task("a", work_until_stopped))
            assert isinstance(executor.next_event(LONG), Started)
            assert executor.stop() == ()
            done = ending(executor, "a")
            assert isinstance(done, Done)
            assert done.result == "stopped"
            with raises(ExecutorError):
                executor.submit(Task("b", Doubled(1)))

    def test_killing_gives_back_what_has_not_ended(self) -> None:
        """And nothing is heard of it afterwards."""
        executor = self.make()
        with executor:
            for name in "abc":
                executor.submit(Task(name, work_until_stopped if self.is_concurrent else Doubled(1)))
            if self.is_concurrent:
                assert isinstance(executor.next_event(LONG), Started)
            assert sorted(task.id for task in executor.kill()) == ["a", "b", "c"]
            assert [event for event in executor.events() if not isinstance(event, Started)] == []

    def test_an_error_of_the_caller_does_not_wait_for_tasks(self) -> None:
        """Leaving the block by an error ends what runs."""
        if not self.is_concurrent:
            return
        with raises(KeyError), self.make() as executor:
            executor.submit(Task("a", work_until_stopped))
            assert isinstance(executor.next_event(LONG), Started)
            raise KeyError

    def test_tasks_run_side_by_side(self, tmp_path: Path) -> None:
        """Two that wait for each other both end."""
        if not self.is_concurrent:
            return
        with self.make() as executor:
            executor.submit(Task("a", Meet(tmp_path / "a", tmp_path / "b")))
            executor.submit(Task("b", Meet(tmp_path / "b", tmp_path / "a")))
            assert {type(event) for event in executor.events()} == {Started, Done}

    def test_a_resource_is_not_shared(self, tmp_path: Path) -> None:
        """Tasks that need the only one run one after another; others pass them."""
        if not (self.has_resources and self.is_concurrent):
            return
        with self.make(resources={"gpu": 1}) as executor:
            for name in "abc":
                executor.submit(Task(name, Alone(tmp_path / "gpu"), {"gpu": 1}))
            executor.submit(Task("free", Doubled(1)))
            assert {type(event) for event in executor.events()} == {Started, Done}

    def test_two_tasks_of_one_id_are_not_in_flight(self) -> None:
        """An id says which task an event is of."""
        with self.make() as executor:
            executor.submit(Task("a", Doubled(1)))
            with raises(ExecutorError):
                executor.submit(Task("a", Doubled(2)))
            assert getattr(ending(executor, "a"), "result", None) == 2  # noqa: PLR2004

    def test_an_executor_runs_in_its_block_alone(self) -> None:
        """Not before it and not after it."""
        executor = self.make()
        with raises(ExecutorError):
            executor.submit(Task("a", Doubled(1)))
        with executor:
            pass
        with raises(ExecutorError):
            executor.submit(Task("a", Doubled(1)))

    def test_what_cannot_travel_is_refused(self) -> None:
        """The caller's thread says so; nothing is in flight."""
        if not self.is_elsewhere:
            return
        lock = Lock()
        with self.make() as executor:
            with raises(UnpicklableTaskError):
                executor.submit(Task("a", lambda _: lock))
            assert executor.in_flight == 0
            executor.submit(Task("b", make_lock))
            failed = ending(executor, "b")
        assert isinstance(failed, Failed)
        assert "UnpicklableTaskError" in failed.failure.kind

    def test_functions_of_the_caller_travel(self) -> None:
        """Those inside other functions, too."""
        factor = 3
        with self.make() as executor:
            executor.submit(Task("a", lambda _: factor * 7))
            assert getattr(ending(executor, "a"), "result", None) == 21  # noqa: PLR2004

    def test_a_worker_that_dies_costs_one_task(self) -> None:
        """Whatever killed it; the task is not run again, and others go on."""
        if not self.is_elsewhere:
            return
        deaths = {"crash": crash, "exit": leave_at_once, "kill": kill_itself}
        with self.make() as executor:
            for name, run in deaths.items():
                executor.submit(Task(name, run))
                for number in range(2):
                    executor.submit(Task(f"{name} {number}", Doubled(number)))
            events = list(executor.events())
        ends = {event.task.id: event for event in events if isinstance(event, Done | Failed | WorkerLost)}
        for name in deaths:
            lost = ends.pop(name)
            assert isinstance(lost, WorkerLost), lost
            assert lost.began
            assert lost.reason
        assert {type(event) for event in ends.values()} == {Done}
        assert (
            Counter(event.task.id for event in events if isinstance(event, Started)).most_common(1)[0][1] == 1
        )
