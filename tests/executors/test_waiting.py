"""Tasks that wait for resources."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import ExecutorError
from djflow.executors import Task
from djflow.executors.waiting import WaitingTasks

asked = st.fixed_dictionaries({}, optional={"gpu": st.integers(0, 2), "memory": st.integers(0, 8)})
TOTAL = {"gpu": 2, "memory": 8}


def idle(_: object) -> None:
    return None


@given(st.lists(st.tuples(asked, st.integers(0, 3)), max_size=20), st.randoms(use_true_random=False))
def test_no_more_is_used_than_there_is_and_every_task_comes(
    tasks: list[tuple[dict[str, float], int]], random: Random
) -> None:
    waiting = WaitingTasks(TOTAL)
    for number, (resources, priority) in enumerate(tasks):
        waiting.add(Task(str(number), idle, resources, priority))
    running: list[Task] = []
    taken: list[str] = []
    while len(taken) < len(tasks) or running:
        task = waiting.take() if random.random() < 0.5 else None
        if task is not None:
            running.append(task)
            taken.append(task.id)
        elif running:
            waiting.give_back(running.pop(random.randrange(len(running))))
        for name, total in TOTAL.items():
            assert sum(task.resources.get(name, 0) for task in running) <= total
    assert sorted(taken) == sorted(str(number) for number in range(len(tasks)))
    assert waiting.take() is None


@given(st.lists(st.integers(-3, 3)))
def test_the_highest_priority_comes_first_then_the_earliest(priorities: list[int]) -> None:
    waiting = WaitingTasks()
    for number, priority in enumerate(priorities):
        waiting.add(Task(str(number), idle, priority=priority))
    order = [(-task.priority, int(task.id)) for _ in priorities if (task := waiting.take()) is not None]
    assert all(before < after for before, after in pairwise(order))
    assert len(order) == len(priorities)


def test_a_task_that_never_fits_is_refused_with_what_to_do() -> None:
    with pytest.raises(ExecutorError, match="needs 2 of 'gpu'; this executor has 1") as caught:
        WaitingTasks({"gpu": 1}).add(Task("a", idle, {"gpu": 2}))
    assert caught.value.__notes__ == ["Give the executor resources={'gpu': 2}."]


def test_tasks_that_wait_are_taken_back() -> None:
    waiting = WaitingTasks()
    waiting.add(Task("a", idle))
    assert [task.id for task in waiting.clear()] == ["a"]
    assert waiting.take() is None
