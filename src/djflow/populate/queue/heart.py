"""A thread that extends the leases of this process's claims while their keys are being computed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self

from djflow.errors import DjflowError
from djflow.populate.queue.holding import Claim
from djflow.populate.queue.queue import Queue

LEASE: Final = 60.0  # seconds for which jobs of a worker that died stay with it
_BEATS: Final = 4  # a lease


class Heart:
    """Extends the leases of claims for as long as they are held. A context manager.

    Where a `make` keeps the interpreter to itself for longer than a lease, others may take its jobs; the
    claim's token then refuses its results.
    """

    def __init__(self, queue: Queue, lease: float = LEASE) -> None:
        self._queue, self.lease = queue, lease
        self._tokens: set[int] = set()
        self._lock, self._end = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="djflow-leases", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        """While the jobs of a claim are being computed."""
        with self._lock:
            self._tokens.add(claim.token)
        try:
            yield
        finally:
            with self._lock:
                self._tokens.discard(claim.token)

    def _run(self) -> None:
        while not self._end.wait(self.lease / _BEATS):
            with self._lock:
                tokens = tuple(self._tokens)
            with suppress(DjflowError):  # the next beat, or the commit, will tell
                self._queue.heartbeat(tokens, self.lease)
