"""Reading ahead in order, within a bound of memory."""

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import DjflowError
from djflow.storage.handles.prefetch import bytes_of, prefetched

LONG = 0.006  # seconds, for which threads are begun


class Ledger:
    """Which results are loaded, or being loaded, and not yet taken."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes, self.most = sizes, 0
        self._held: set[int] = set()
        self._lock = threading.Lock()

    def load(self, item: int) -> int:
        if item == 0:
            time.sleep(LONG)
        with self._lock:
            self._held.add(item)
            self.most = max(self.most, sum(self.sizes[each] for each in self._held))
        return item

    def take(self, item: int) -> None:
        with self._lock:
            self._held.discard(item)


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(0, 200), st.integers(1, 4))
def test_order_is_kept_and_no_more_is_held_than_allowed(sizes: list[int], memory: int, threads: int) -> None:
    ledger, taken = Ledger(sizes), []
    for item in prefetched(ledger.load, enumerate(sizes), memory=memory, threads=threads):
        taken.append(item)
        ledger.take(item)
    assert taken == list(range(len(sizes)))
    # The next one may begin when a result is on its way to who takes it.
    assert ledger.most <= max([memory, *sizes]) + max(sizes, default=0)


def test_others_are_loaded_while_one_is_used() -> None:
    third = threading.Event()

    def load(item: int) -> None:
        time.sleep(LONG)
        if item == 2:
            third.set()

    loading = prefetched(load, [(0, 1), (1, 1), (2, 1)], memory=2, threads=2)
    assert [next(loading), next(loading)] == [None, None]
    assert third.wait(10)
    assert next(loading) is None
    assert next(loading, "end") == "end"


def test_what_comes_quickly_is_loaded_by_who_asks() -> None:
    loading = prefetched(
        lambda _: threading.current_thread(), [(i, 1) for i in range(3)], memory=9, threads=2
    )
    assert set(loading) == {threading.current_thread()}


def test_nothing_is_loaded_after_the_reader_went_away() -> None:
    seen: list[int] = []

    def load(item: int) -> None:
        time.sleep(LONG)
        seen.append(item)

    loading = prefetched(load, ((i, 1) for i in range(1000)), memory=3, threads=2)
    assert [next(loading), next(loading)] == [None, None]
    loading.close()  # type: ignore[attr-defined] # it is a generator
    assert len(seen) <= 5
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("djflow-storage")]


def test_an_error_comes_at_its_place() -> None:
    def load(item: int) -> int:
        return 1 // (2 - item)

    loading = prefetched(load, [(i, 1) for i in range(5)], memory=100, threads=3)
    assert [next(loading), next(loading)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(loading)


@pytest.mark.parametrize(
    ("text", "amount"), [("0", 0), ("12 B", 12), ("2kB", 2000), ("1 MiB", 1 << 20), ("0.5 tb", 5 * 10**11)]
)
def test_amounts_of_memory_are_numbers_with_units(text: str, amount: int) -> None:
    assert bytes_of(text) == amount


@pytest.mark.parametrize("bad", ["", "much", "1 PB", "-1", -1, "1e9", "1 M i B"])
def test_other_amounts_are_refused(bad: int | str) -> None:
    with pytest.raises(DjflowError, match="amount of memory"):
        bytes_of(bad)
