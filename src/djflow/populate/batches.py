"""Where the batches of a run on several workers come from: a list of keys, or the queue."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final, Self

from djflow.errors import WorkerDiedError
from djflow.populate.queue.heart import Heart
from djflow.populate.queue.holding import Worker
from djflow.populate.queue.queue import Queue
from djflow.populate.reserved import Share
from djflow.populate.spread import Batch

_LONGEST_PAUSE: Final = 1.0  # seconds


class ListedBatches:
    """Keys that were missing when the run began."""

    def __init__(self, keys: Sequence[Mapping[str, Any]]) -> None:
        self._keys = deque(keys)
        self._alone: deque[Mapping[str, Any]] = deque()  # of workers that died

    def take(self, most: int) -> Batch | None:
        """The next ones; those that were lost come last, and alone."""
        if self._keys:
            return Batch(tuple(self._keys.popleft() for _ in range(min(most, len(self._keys)))))
        return Batch((self._alone.popleft(),)) if self._alone else None

    def is_over(self) -> bool:
        """Whether all keys were taken."""
        return not self._keys and not self._alone

    def returned(self, batch: Batch) -> None:
        """Nobody else needs to know."""

    def lost(self, batch: Batch, reason: str) -> Sequence[tuple[Mapping[str, Any], BaseException]]:
        """Keys that were lost together are made again one by one; one that was alone is given up."""
        if len(batch.keys) > 1:
            self._alone += batch.keys
            return ()
        return [(batch.keys[0], WorkerDiedError(reason))]

    def give_back(self) -> None:
        """They were nobody's."""


class ClaimedBatches:
    """Jobs of the queue, claimed here for whoever computes them. A context manager."""

    def __init__(self, queue: Queue, share: Share) -> None:
        self._queue, self._share, self._worker = queue, share, Worker.here()
        self._left = share.most
        self._heart, self._held = Heart(queue), dict[int, tuple[Batch, ExitStack]]()

    def take(self, most: int) -> Batch | None:
        """The next ones that are due."""
        most = most if self._left is None else min(most, self._left)
        if most < 1:
            return None
        among, priority = self._share.among, self._share.priority
        claim = self._queue.claim(most, self._worker, self._heart.lease, priority, among=among)
        if not claim.keys:
            return None
        self._left = None if self._left is None else self._left - len(claim)
        batch, held = Batch(claim.keys, claim), ExitStack()
        held.enter_context(self._heart.holding(claim))
        self._held[claim.token] = batch, held
        return batch

    def is_over(self) -> bool:
        """Whether no job is due, and none that was put off will be in a moment."""
        if self._left is not None and self._left < 1:
            return True
        if self._queue.expire()[0]:
            return False
        due = self._queue.next_due()
        if due is None or due > _LONGEST_PAUSE:
            return True
        time.sleep(max(due, 0.01))
        return False

    def returned(self, batch: Batch) -> None:
        """Their leases need no extension any more."""
        self._let_go(batch)

    def lost(self, batch: Batch, reason: str) -> Sequence[tuple[Mapping[str, Any], BaseException]]:
        """Their lease ends now: they come again one by one, and become errors once that was too often."""
        del reason
        self._let_go(batch)
        if batch.claim is not None:
            self._queue.heartbeat([batch.claim.token], 0.0)
        return ()

    def give_back(self) -> None:
        """Release what workers have that were ended."""
        for batch, _ in list(self._held.values()):
            self._let_go(batch)
            if batch.claim is not None:
                self._queue.release(batch.claim)

    def _let_go(self, batch: Batch) -> None:
        if batch.claim is not None:
            _, held = self._held.pop(batch.claim.token)
            held.close()

    def __enter__(self) -> Self:
        self._heart.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._heart.__exit__(None, None, None)
