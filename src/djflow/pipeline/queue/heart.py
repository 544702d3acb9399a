"""A thread that extends the leases of this process's claims while their keys are being computed."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self

from djflow.errors import DjflowError
from djflow.pipeline.queue.holding import Claim
from djflow.pipeline.queue.queue import Queue

_BEATS: Final = 4  # a lease


class Heart:
    """Extends the leases of claims, of one queue or several, for as long as they are held. A context manager.

    Where a `make` keeps the interpreter to itself for longer than a lease, others may take its jobs; the
    claim's token then refuses its results.
    """

    def __init__(self, lease: float) -> None:
        """`lease` is for how many seconds jobs of a worker that died stay with it."""
        self.lease = lease
        self._held: dict[int, Queue] = {}
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
    def holding(self, queue: Queue, claim: Claim) -> Iterator[None]:
        """While the jobs of a claim are being computed."""
        with self._lock:
            self._held[claim.token] = queue
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(claim.token, None)

    def _run(self) -> None:
        while not self._end.wait(self.lease / _BEATS):
            for queue, tokens in self._by_queue().items():
                with suppress(DjflowError):  # the next beat, or the commit, will tell
                    queue.heartbeat(tokens, self.lease)

    def _by_queue(self) -> dict[Queue, list[int]]:
        found = defaultdict[Queue, list[int]](list)
        with self._lock:
            for token, queue in self._held.items():
                found[queue].append(token)
        return found
