"""No key is computed and committed twice, and none is lost, whatever workers do and when.

`DJFLOW_TEST_EXAMPLES` sets how many histories are tried.
"""

import os
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from hypothesis import settings
from tests.pipeline.queue.histories import KEYS, LEASE, Histories, Kept, Lost

from djflow.pipeline.queue.backoff import Retries
from djflow.pipeline.queue.transitions import Event, Status, after

EXAMPLES: Final = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "200"))
RETRIES: Final = Retries(attempts=3, base=4, cap=10)


@dataclass(slots=True)
class Job:
    """A row of the queue."""

    status: Status
    token: int | None = None
    lease_end: float = 0
    attempts: int = 0
    due: float = 0
    is_suspect: bool = False


class Simulated:
    """The queue as its table of transitions has it, in memory, with the longest pauses there can be."""

    def __init__(self) -> None:
        self.now = 0.0
        self.jobs: dict[int, Job] = {}
        self.committed: list[int] = []
        self.tokens = count(1)

    def _change(self, key: int, event: Event) -> None:
        job = self.jobs.get(key)
        status = after(None if job is None else job.status, event)
        if status is None:
            del self.jobs[key]
        elif job is None:
            self.jobs[key] = Job(status, due=self.now)
        else:
            job.status = status
            job.token = job.token if status is Status.RESERVED else None

    def _held(self, mark: Any, key: int) -> bool:
        job = self.jobs.get(key)
        return job is not None and job.status is Status.RESERVED and job.token == mark

    def refresh(self) -> None:
        for key, job in self.jobs.items():
            if job.status is Status.RESERVED and job.lease_end < self.now:
                self._change(key, Event.PARK if job.attempts >= RETRIES.attempts else Event.EXPIRE)
                job.is_suspect = True
        for key in range(KEYS):
            if key not in self.jobs and key not in self.committed:
                self._change(key, Event.REFRESH)

    def claim(self, n: int) -> tuple[Any, list[int]]:
        token = next(self.tokens)
        due = [key for key, job in self.jobs.items() if job.status is Status.PENDING and job.due <= self.now]
        taken = sorted(due, key=lambda key: self.jobs[key].due)[:n]
        suspects = [place for place, key in enumerate(taken) if self.jobs[key].is_suspect]
        taken = taken[: max(1, suspects[0])] if suspects else taken
        for key in taken:
            self._change(key, Event.CLAIM)
            job = self.jobs[key]
            job.token, job.lease_end, job.attempts = token, self.now + LEASE, job.attempts + 1
            job.is_suspect = False
        return token, taken

    def heartbeat(self, mark: Any) -> bool:
        held = [job for key, job in self.jobs.items() if self._held(mark, key)]
        for job in held:
            job.lease_end = self.now + LEASE
        return bool(held)

    def commit(self, mark: Any, keys: list[int]) -> None:
        if not all(self._held(mark, key) for key in keys):
            raise Lost
        for key in keys:
            self._change(key, Event.COMPLETE)
            self.committed.append(key)

    def fail(self, mark: Any, key: int, *, transient: bool) -> None:
        if self._held(mark, key):
            job = self.jobs[key]
            again = transient and job.attempts < RETRIES.attempts
            self._change(key, Event.RETRY if again else Event.FAIL)
            job.due = self.now + RETRIES.longest_pause(job.attempts) if again else job.due

    def release(self, mark: Any, keys: list[int]) -> None:
        for key in keys:
            if self._held(mark, key):
                self._change(key, Event.RELEASE)
                self.jobs[key].attempts -= 1

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def statuses(self) -> dict[int, str]:
        return {key: str(job.status) for key, job in self.jobs.items()}

    def results(self) -> list[int]:
        return self.committed


class SimulatedHistories(Histories):
    def make(self) -> Kept:
        return Simulated()


TestSimulatedHistories = SimulatedHistories.TestCase
TestSimulatedHistories.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
