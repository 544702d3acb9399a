"""Where the batches of a run on several workers come from: a list of keys, or queues."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from djflow.errors import DjflowError, WorkerDiedError
from djflow.pipeline.events import Event
from djflow.pipeline.queue.heart import Heart
from djflow.pipeline.queue.holding import Worker
from djflow.pipeline.reserved import Share
from djflow.pipeline.telling import told
from djflow.pipeline.work import Batch

if TYPE_CHECKING:
    from djflow.pipeline.queue.queue import Queue
    from djflow.pipeline.tiers import AutoPopulated

_LONGEST_PAUSE: Final = 1.0  # seconds

Most: TypeAlias = "Callable[[type[AutoPopulated], int | None], int]"
"""How many keys of a table one task should have, where so many wait, if that is known."""

GivenUp: TypeAlias = Sequence[tuple[Mapping[str, Any], BaseException]]
"""Keys that nobody will try again in this run, and why."""


class Supply(Protocol):
    """Where batches come from, and who is told what became of them."""

    def take(self, most: Most) -> Batch | None:
        """Some of the keys that are left; None where there are none now."""
        ...

    def pause(self) -> float | None:
        """For how many seconds to wait, where nothing is left and nothing in flight; None for the end."""
        ...

    def returned(self, batch: Batch, put_off: int, rows: int) -> None:
        """A task came to its end, and wrote so many rows; so many of its keys were put off."""
        ...

    def lost(self, batch: Batch, reason: str) -> GivenUp:
        """A worker died with these."""
        ...

    def give_back(self) -> None:
        """Nobody will make what was taken and has not returned."""
        ...

    def news(self) -> Iterable[Event]:
        """What happened besides since this was asked last."""
        ...


class ListedBatches(Supply):
    """Keys of one table that were missing when the run began."""

    def __init__(self, table: "type[AutoPopulated]", keys: Sequence[Mapping[str, Any]]) -> None:
        self._table, self._keys = table, deque(keys)
        self._alone: deque[Mapping[str, Any]] = deque()  # of workers that died

    def take(self, most: Most) -> Batch | None:
        """The next ones; those that were lost come last, and alone."""
        source, size = (self._keys, most(self._table, len(self._keys))) if self._keys else (self._alone, 1)
        keys = tuple(source.popleft() for _ in range(min(size, len(source))))
        return Batch(self._table, keys) if keys else None

    def pause(self) -> float | None:
        """All keys were taken."""
        return None

    def returned(self, batch: Batch, put_off: int, rows: int) -> None:
        """Nobody else needs to know."""

    def lost(self, batch: Batch, reason: str) -> GivenUp:
        """Keys that were lost together are made again one by one; one that was alone is given up."""
        if len(batch.keys) > 1:
            self._alone += batch.keys
            return ()
        return [(batch.keys[0], WorkerDiedError(reason))]

    def give_back(self) -> None:
        """They were nobody's."""

    def news(self) -> Iterable[Event]:
        """Nothing else happens."""
        return ()


class ClaimedBatches(Supply):
    """Jobs of a table's queue, claimed here for whoever computes them."""

    queue: "Queue"

    def __init__(self, table: "AutoPopulated", share: Share, heart: Heart) -> None:
        self._table, self._jobs, self._share = type(table), table.jobs, share
        self.queue = self._jobs.queue
        self._left, self._heart, self._worker = share.most, heart, Worker.here()
        self._held: dict[int, tuple[Batch, ExitStack]] = {}
        self._has_put_off = False
        self._waiting: int | None = None  # jobs, as far as this run knows

    def take(self, most: Most) -> Batch | None:
        """The next ones that are due."""
        if self._waiting is None:
            self._waiting = self.count()
        size = most(self._table, max(1, self._waiting))
        size = size if self._left is None else min(size, self._left)
        if size < 1:
            return None
        share = self._share
        claim = self.queue.claim(size, self._worker, self._heart.lease, share.priority, among=share.among)
        if not claim.keys:
            return None
        self._left = None if self._left is None else self._left - len(claim)
        self._waiting -= len(claim)
        batch, held = Batch(self._table, claim.keys, claim), ExitStack()
        held.enter_context(self._heart.holding(self.queue, claim))
        self._held[claim.token] = batch, held
        return batch

    def pause(self) -> float | None:
        """Until a job is due that a dead worker had, that was put off here, or is due in a moment."""
        if self._left is not None and self._left < 1:
            return None
        if self.queue.expire()[0]:
            return 0.0
        due = self.queue.next_due(self._share.priority, among=self._share.among)
        return due if due is not None and (due <= _LONGEST_PAUSE or self._has_put_off) else None

    def returned(self, batch: Batch, put_off: int, rows: int) -> None:
        """Their leases need no extension any more."""
        del rows
        self._has_put_off = self._has_put_off or put_off > 0
        self._let_go(batch)

    def lost(self, batch: Batch, reason: str) -> GivenUp:
        """They come again one by one, and become errors, which tell the reason, once that was too often."""
        self._let_go(batch)
        if batch.claim is None:
            return ()
        error = WorkerDiedError(reason)
        given_up = self.queue.abandon(batch.claim, told(error))
        return [*((key, error) for key in given_up), *self._failed_before(batch.keys, given_up)]

    def _failed_before(
        self, keys: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
    ) -> GivenUp:
        """Those keys of a worker that died which it told to be errors: nobody else heard of them."""
        names = self.queue.jobs.key
        rows = (self._jobs.errors & [dict(key) for key in keys]).to_dicts()
        found = [({name: row[name] for name in names}, row["error_message"]) for row in rows]
        return [(key, DjflowError(message)) for key, message in found if key not in others]

    def give_back(self) -> None:
        """Release what workers have that were ended."""
        for batch, _ in list(self._held.values()):
            self._let_go(batch)
            if batch.claim is not None:
                self.queue.release(batch.claim)

    def news(self) -> Iterable[Event]:
        """Nothing else happens."""
        return ()

    def is_held_elsewhere(self) -> bool:
        """Whether others compute jobs of the queue, and extend their leases."""
        return self.queue.is_held(self._share.among)

    def count(self) -> int:
        """How many jobs are there to be taken, as far as that is known now."""
        among = self._share.among
        found = self._jobs.progress()["pending"] if among is None else len(self._jobs.pending & among)
        return found if self._left is None else min(found, self._left)

    def has_left(self) -> bool:
        """Whether jobs are left, due or not, or others have them."""
        return self.queue.has_left(self._share.among)

    def _let_go(self, batch: Batch) -> None:
        if batch.claim is not None:
            _, held = self._held.pop(batch.claim.token)
            held.close()
