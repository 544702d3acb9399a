"""How many keys a task gets, whatever keys cost."""

from hypothesis import given
from hypothesis import strategies as st

from djflow.executors.sizing import AIM, MOST, Sizing

costs = st.floats(0, 1e4, allow_nan=False)


def history(of: list[float]) -> Sizing:
    sizing = Sizing()
    for cost in of:
        keys = sizing.keys()
        sizing = sizing.after(keys, keys * cost)
    return sizing


@given(st.lists(costs, max_size=30), st.none() | st.integers(0, 10**7), st.integers(1, 1000))
def test_a_task_has_at_least_one_key_and_not_too_many(
    of: list[float], waiting: int | None, slots: int
) -> None:
    assert 1 <= history(of).keys(waiting, slots) <= MOST


@given(st.lists(costs, max_size=30), costs)
def test_tasks_at_most_double(of: list[float], cost: float) -> None:
    before = history(of)
    keys = before.keys()
    assert before.after(keys, keys * cost).keys() <= 2 * max(before.largest, keys)


@given(costs)
def test_a_steady_cost_is_met(cost: float) -> None:
    keys = history([cost] * 12).keys()
    assert keys * cost <= 1.01 * AIM or keys == 1
    assert keys == MOST or (keys + 1) * cost > 0.99 * AIM


@given(st.lists(costs, max_size=30), st.floats(0.6 * AIM, 1e4))
def test_dear_keys_go_alone(of: list[float], cost: float) -> None:
    sizing = history(of)
    for _ in range(60):
        sizing = sizing.after(sizing.keys(), sizing.keys() * cost)
    assert sizing.keys() == 1


@given(st.floats(0, 1e-3), st.integers(1, 10**6), st.integers(1, 64))
def test_the_last_keys_are_shared(cost: float, waiting: int, slots: int) -> None:
    keys = history([cost] * 12).keys(waiting, slots)
    assert keys * slots <= waiting + slots


def test_the_first_task_has_one_key_and_an_empty_one_tells_nothing() -> None:
    assert Sizing().keys() == 1
    assert Sizing().after(0, 1.0) == Sizing()
