"""Work on threads: in order, only where it has to wait, and ended by the first error."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.storage.parallel import map_many


@given(st.integers(0, 200), st.integers(1, 8), st.integers(0, 5))
def test_results_are_in_order(count: int, threads: int, slow: int) -> None:
    def square(item: int) -> int:
        if item == slow:
            time.sleep(0.006)
        return item * item

    assert map_many(square, range(count), threads) == [item * item for item in range(count)]


def test_who_waits_waits_on_threads() -> None:
    def worker(_: int) -> threading.Thread:
        time.sleep(0.006)
        return threading.current_thread()

    first, *others = map_many(worker, range(9), 4)
    assert first is threading.current_thread()
    assert first not in others
    assert len(set(others)) > 1


@pytest.mark.parametrize("seconds", [0, 0.006])
def test_the_first_error_ends_it(seconds: float) -> None:
    def fails_at_three(item: int) -> None:
        time.sleep(seconds)
        if item == 3:
            raise ValueError(item)

    with pytest.raises(ValueError, match="3"):
        map_many(fails_at_three, range(1000), 2)
