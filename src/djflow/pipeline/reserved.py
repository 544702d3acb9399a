"""Keys that workers share out among them: each claims some of the table's queue, and no two the same."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.errors import (
    BucketInaccessible,
    ConnectionFailedError,
    DjflowError,
    LeaseLostError,
    LostConnectionError,
    RetryableError,
    StorageError,
)
from djflow.executors.sizing import Sizing
from djflow.executors.task import nobody_asks
from djflow.pipeline.calls import Calls
from djflow.pipeline.make.hand import End, Ended, Hand
from djflow.pipeline.make.protocol import takes_batches
from djflow.pipeline.outcome import Outcome
from djflow.pipeline.queue.heart import Heart
from djflow.pipeline.queue.holding import Claim, Failure, Worker
from djflow.pipeline.queue.queue import Queue, new_token
from djflow.pipeline.queue.transitions import Status
from djflow.pipeline.serial import nobody
from djflow.pipeline.telling import stack_of, told

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.relation.relation import Relation

_MOST: Final = 256  # keys a claim
_TRANSIENT: Final = (
    RetryableError,
    LostConnectionError,
    ConnectionFailedError,
    BucketInaccessible,
    ConnectionError,
    TimeoutError,
)


Left: TypeAlias = dict[tuple[Any, ...], Mapping[str, Any]]
"""The keys of a claim of which the queue does not know yet what became of them."""


@dataclass(frozen=True, slots=True)
class Share:
    """Which jobs a worker takes: `among` these keys, as urgent as `priority` or more, `most` at most."""

    among: "Relation | None" = None
    priority: int | None = None
    most: int | None = None


class ReservedRun:
    """One worker that makes the keys it claims, until none is due."""

    outcome: Outcome

    def __init__(
        self,
        table: "AutoPopulated",
        share: Share,
        calls: Calls,
        *,
        suppress_errors: bool,
        advance: Callable[[int], object] = nobody,
        should_stop: Callable[[], bool] = nobody_asks,
    ) -> None:
        self._table, self._share, self._advance, self._should_stop = table, share, advance, should_stop
        self._suppress = suppress_errors
        self._queue: Queue = table.jobs.queue
        self._keep = table.connection.settings.jobs.keep_completed
        self._claim = Claim(0, ())
        self._hand = Hand(table, calls.make_kwargs, self._complete, calls.reads, self._lock)
        self._at_once = _MOST if takes_batches(table) else 1
        self._retried: set[tuple[Any, ...]] = set()
        self.outcome = Outcome()

    def run(self) -> Outcome:
        """Make what is due, and what failed for a while until it is due again."""
        sizing, worker = Sizing(most=_MOST), Worker.here()
        with Heart(self._table.connection.settings.jobs.lease) as heart:
            while (most := self._most(sizing)) > 0 and not self._should_stop():
                token, begun = new_token(), time.perf_counter()
                try:
                    claim = self._queue.claim(
                        most, worker, heart.lease, self._share.priority, among=self._share.among, token=token
                    )
                    with heart.holding(self._queue, claim):
                        self.make(claim)
                except BaseException:
                    # What could not be released may be taken over at once.
                    _insist(partial(self._queue.heartbeat, [token], 0.0))
                    raise
                if not claim.keys and not self._has_more():
                    break
                sizing = sizing.after(len(claim), time.perf_counter() - begun)
        return self.outcome

    def _most(self, sizing: Sizing) -> int:
        if self._share.most is None:
            return sizing.keys()
        outcome = self.outcome
        return min(sizing.keys(), self._share.most - outcome.made - outcome.skipped - len(outcome.errors))

    def _has_more(self) -> bool:
        """Whether jobs are to come: of workers that died, or, after a pause, those that this one put off."""
        again, _ = self._queue.expire()
        share = self._share
        if again:
            return True
        due = self._queue.next_due(share.priority, among=share.among) if self._retried else None
        if due is None:
            return False
        time.sleep(min(max(due, 0.01), 1.0))
        return True

    # one claim

    def make(self, claim: Claim) -> Outcome:
        """Make the keys of one claim, and tell the queue what became of them; all that came of it so far."""
        if not claim.keys:
            return self.outcome
        left: Left = {tuple(key.values()): key for key in claim.keys}
        self._claim = claim
        try:
            self._hand.expect(claim.keys)
            for start in range(0, len(claim.keys), self._at_once):
                if self._should_stop():
                    break
                self._note(self._made(claim.keys[start : start + self._at_once]), left)
            self._note(self._hand.settle(), left)
            self.outcome.wrote(*self._hand.take_written())
        except BaseException as error:
            with suppress(DjflowError):
                self._tell(self._hand.stop(), left)
            if self._suppress and isinstance(error, Exception) and not is_transient(error):
                left.clear()  # they count as tried: given back, they would come again for ever
            raise
        finally:
            if left:
                _insist(partial(self._queue.release, claim, list(left.values())))
        return self.outcome

    def _made(self, keys: Sequence[Mapping[str, Any]]) -> Sequence[Ended]:
        """What became of keys, also where `make` raised what is no `Exception`, as asyncio does."""
        try:
            return self._hand.make(*keys)
        except (Exception, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - see above
            return [Ended(key, End.FAILED, error) for key in keys]

    def _complete(self, keys: Sequence[Mapping[str, Any]], seconds: Sequence[float]) -> None:
        self._queue.complete(self._claim, keys, seconds, keep=self._keep)

    def _lock(self, keys: Sequence[Mapping[str, Any]]) -> None:
        self._queue.lock(self._claim, keys)

    def _note(self, ended: Sequence[Ended], left: Left) -> None:
        """Tell what became of keys. Raises the first error, unless errors are suppressed."""
        before = len(self.outcome.errors)
        self._tell(ended, left)
        if not self._suppress:
            self.outcome.raise_first(before)

    def _tell(self, ended: Sequence[Ended], left: Left) -> None:
        """Tell the queue what became of keys, and count them."""
        for each in ended:
            if each.end is End.SKIPPED:
                with suppress(LeaseLostError), self._table.connection.transaction:
                    self._queue.complete(self._claim, [each.key], keep=self._keep)
        failed = [each for each in ended if each.error is not None]
        statuses = self._queue.fail(self._claim, list(map(_failure, failed))) if failed else []
        put_off = {
            tuple(each.key.values())
            for each, status in zip(failed, statuses, strict=True)
            if status is Status.PENDING
        }
        for each in ended:
            left.pop(tuple(each.key.values()), None)
        self._retried = self._retried - {tuple(each.key.values()) for each in ended} | put_off
        final = [each for each in ended if tuple(each.key.values()) not in put_off]
        self._advance(len(final))
        self.outcome.count(final)


def _insist(action: Callable[[], object]) -> None:
    """Do what may find a connection that an interrupt broke; leases end by themselves if it fails again."""
    for _ in range(2):
        with suppress(DjflowError):
            action()
            return


def is_transient(error: BaseException) -> bool:
    """Whether another try may succeed: a server or a store was away, or another transaction in the way.

    Any other exception says so by an attribute `is_transient = True`.
    """
    if isinstance(error, _TRANSIENT) or getattr(error, "is_transient", False) is True:
        return True
    # What a store's library raised, and nobody could read: it may mean that the store was away.
    return type(error) is StorageError and error.__cause__ is not None


def _failure(ended: Ended) -> Failure:
    error = ended.error
    assert error is not None  # noqa: S101 - those that failed have one
    return Failure(ended.key, told(error), stack_of(error), is_transient(error))
