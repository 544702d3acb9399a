"""Tasks where the caller is."""

import pytest

from djflow.executors import Done, SerialExecutor, Started, Task, TaskContext
from djflow.testing.tasks import Doubled


def test_a_task_is_known_to_have_started_before_it_runs() -> None:
    ran: list[str] = []
    with SerialExecutor() as executor:
        executor.submit(Task("a", lambda _: ran.append("a")))
        assert isinstance(executor.next_event(), Started)
        assert ran == []
        assert isinstance(executor.next_event(), Done)
        assert ran == ["a"]


def test_an_interrupt_is_the_callers_and_the_task_is_given_back() -> None:
    def interrupted(context: TaskContext) -> None:
        context.report(1)
        raise KeyboardInterrupt

    with SerialExecutor() as executor:
        executor.submit(Task("a", interrupted))
        executor.submit(Task("b", Doubled(1)))
        executor.next_event()
        with pytest.raises(KeyboardInterrupt):
            executor.next_event()
        assert [task.id for task in executor.kill()] == ["a", "b"]
        assert executor.next_event() is None


def test_a_signal_handler_may_ask_the_running_task_to_stop() -> None:
    with SerialExecutor() as executor:

        def stopped(context: TaskContext) -> bool:
            executor.stop()  # as a handler of a signal would
            return context.should_stop()

        executor.submit(Task("a", stopped))
        executor.submit(Task("b", Doubled(1)))
        ends = [event for event in executor.events() if isinstance(event, Done)]
    assert [(event.task.id, event.result) for event in ends] == [("a", True)]
