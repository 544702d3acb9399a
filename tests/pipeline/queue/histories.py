"""Histories of several workers and one queue, on whatever keeps the queue."""

from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

KEYS = 4
LEASE = 10.0
WORKERS = st.integers(0, 2)


class Lost(Exception):  # noqa: N818 - what a history may well contain
    """A commit that was refused, with all it contained."""


class Kept(Protocol):
    """A queue with a clock that only moves when told, the table of results, and what was committed when."""

    def refresh(self) -> None:
        """Queue what is missing, and take jobs from those whose lease has ended."""

    def claim(self, n: int) -> tuple[Any, list[int]]:
        """Take jobs for `LEASE` seconds: the holder's mark, and the keys."""

    def heartbeat(self, mark: Any) -> bool:
        """Have a lease end `LEASE` seconds from now; whether anything is still held."""

    def commit(self, mark: Any, keys: list[int]) -> None:
        """Insert results and complete the jobs at once, or raise `Lost` and do neither."""

    def fail(self, mark: Any, key: int, *, transient: bool) -> None:
        """Note a failure."""

    def release(self, mark: Any, keys: list[int]) -> None:
        """Give jobs back."""

    def pass_time(self, seconds: float) -> None:
        """Move the clock."""

    def statuses(self) -> dict[int, str]:
        """The status of each key that is queued."""

    def results(self) -> list[int]:
        """The keys in the table, as often as they were committed."""


class Histories(RuleBasedStateMachine):
    """Workers claim, hold, forget, fail and commit in any order; `kept` is what they do it on."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = self.make()
        self.held: dict[int, tuple[Any, list[int]]] = {}
        self.kept.refresh()

    def make(self) -> Kept:
        raise NotImplementedError

    @rule(worker=WORKERS, n=st.integers(1, 3))
    def claim(self, worker: int, n: int) -> None:
        # A worker that already holds jobs forgets them, as if it had been killed and begun again.
        self.held[worker] = self.kept.claim(n)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        worker, mark, keys = self._holder(data)
        done = data.draw(st.lists(st.sampled_from(keys), unique=True, min_size=1)) if keys else []
        try:
            self.kept.commit(mark, done)
        except Lost:
            del self.held[worker]
        else:
            self.held[worker] = (mark, [key for key in keys if key not in done])

    @precondition(lambda self: self.held)
    @rule(data=st.data(), transient=st.booleans())
    def fail(self, data: st.DataObject, transient: bool) -> None:  # noqa: FBT001 - drawn
        worker, mark, keys = self._holder(data)
        if keys:
            self.kept.fail(mark, keys[0], transient=transient)
            self.held[worker] = (mark, keys[1:])

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        worker, mark, keys = self._holder(data)
        self.kept.release(mark, keys)
        del self.held[worker]

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        worker, mark, keys = self._holder(data)
        if keys and not self.kept.heartbeat(mark):
            del self.held[worker]

    @rule(seconds=st.sampled_from([1.0, LEASE / 2, LEASE + 1]))
    def pass_time(self, seconds: float) -> None:
        self.kept.pass_time(seconds)

    @rule()
    def refresh(self) -> None:
        self.kept.refresh()

    def _holder(self, data: st.DataObject) -> tuple[int, Any, list[int]]:
        worker = data.draw(st.sampled_from(sorted(self.held)))
        mark, keys = self.held[worker]
        return worker, mark, keys

    @invariant()
    def nothing_is_committed_twice(self) -> None:
        results = self.kept.results()
        assert len(results) == len(set(results))

    @invariant()
    def nothing_is_lost(self) -> None:
        assert set(self.kept.statuses()) | set(self.kept.results()) == set(range(KEYS))

    @invariant()
    def what_is_done_is_not_queued(self) -> None:
        assert set(self.kept.statuses()).isdisjoint(self.kept.results())

    def teardown(self) -> None:
        """Whatever happened, one more worker finishes what can be finished."""
        if not hasattr(self, "kept"):
            return
        for _ in range(20):
            self.kept.pass_time(1000)
            self.kept.refresh()
            mark, keys = self.kept.claim(KEYS)
            if not keys:
                break
            self.kept.commit(mark, keys)
        assert set(self.kept.statuses().values()) <= {"error"}
        self.nothing_is_committed_twice()
        self.nothing_is_lost()
