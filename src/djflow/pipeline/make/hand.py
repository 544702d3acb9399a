"""What one worker has in hand: the key that it makes, and results that wait to be committed with others."""

import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from djflow.backend.retry import ATTEMPTS, is_safe, pause
from djflow.errors import (
    DjflowError,
    DuplicateError,
    InputGoneError,
    IntegrityError,
    LeaseLostError,
    OutcomeUnknownError,
)
from djflow.model.names import TableName
from djflow.pipeline.make.commit import Commit, Complete, Group, Lock, Result, no_lock, nothing_more
from djflow.pipeline.make.inputs import Inputs, SupersededError, Versions
from djflow.pipeline.make.protocol import caller
from djflow.pipeline.make.under_way import UnderWay
from djflow.pipeline.reads.mode import Reads
from djflow.pipeline.reads.watch import Watch, Watching
from djflow.pipeline.upstream import Ancestry, calling
from djflow.tables.held import HeldRows, holding
from djflow.tables.write import making

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated
    from djflow.tables.row_check import RowCheck


Keys: TypeAlias = tuple[Mapping[str, Any], ...]
"""The keys of one call: one, or for `make_batch` several."""


class End(Enum):
    """What became of a key."""

    MADE = "made"
    SKIPPED = "skipped"
    """Somebody else made it meanwhile, or deleted what it depends on."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ended:
    """A key that is done with. `error` tells why it failed."""

    key: Mapping[str, Any]
    end: End
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Again:
    """Keys to be made once more, and the attempt that this will be."""

    keys: Keys
    attempt: int


class Hand:
    """Makes keys of one table in one thread. No transaction is open while a `make` computes.

    Results wait until there are enough of them to be committed together. A `make` that reads what it has
    inserted, or writes elsewhere, has a transaction of its own from there to its end.
    """

    def __init__(
        self,
        table: "AutoPopulated",
        make_kwargs: Mapping[str, Any],
        complete: Complete = nothing_more,
        reads: Reads = Reads.OPEN,
        lock: Lock = no_lock,
    ) -> None:
        """`complete` is called with keys, and seconds of each, in the transaction that commits them.

        `lock` is called with keys first of all in a transaction in which their `make` goes on.

        `reads` says what becomes of reading what a key does not depend on.
        """
        self._table, self._call, self._lock = table, caller(table, make_kwargs), lock
        self._name: Final = table.table_model.name
        self._session = table.connection.session
        self._ancestry, self._inputs, self._commit = Ancestry(table), Inputs(table), Commit(table, complete)
        self._watching = None if reads is Reads.OPEN else Watching(table, reads)
        self._checks: dict[TableName, RowCheck] = {}
        self._expected: dict[tuple[Any, ...], Versions] = {}
        self._group = Group()
        self._again: deque[_Again] = deque()
        self._ended: list[Ended] = []
        self._rows = self._nbytes = 0

    def expect(self, keys: Sequence[Mapping[str, Any]]) -> None:
        """Note which versions of their inputs keys have: what is made of others is made again."""
        versions = zip(keys, self._inputs.versions(keys), strict=True)
        self._expected = {tuple(key.values()): found for key, found in versions}

    def make(self, *keys: Mapping[str, Any]) -> list[Ended]:
        """Call `make` for a key, or `make_batch` for some; what has ended meanwhile, also of others."""
        self._make(keys, attempt=1)
        self._make_again()
        return self._take_ended()

    def settle(self) -> list[Ended]:
        """Commit what waits."""
        self.settle_waiting()
        self._make_again()
        return self._take_ended()

    def stop(self) -> list[Ended]:
        """Commit what waits, and call nothing again."""
        self.settle_waiting()
        self._again.clear()
        return self._take_ended()

    # calls

    def _make(self, keys: Keys, attempt: int) -> None:
        versions = {tuple(key.values()): self._versions_of(key) for key in keys}
        present = tuple(key for key in keys if None not in versions[tuple(key.values())])
        self._ended += [Ended(key, End.SKIPPED) for key in keys if key not in present]
        if not present:
            return
        inputs = [versions[tuple(key.values())] for key in present]
        watch = None if self._watching is None else self._watching.call(present)
        under_way = UnderWay(
            present,
            inputs,
            HeldRows(self._name, self._table.connection, self._checks),
            self._inputs,
            self,
            attempt,
            watch,
            self._lock,
        )
        try:
            with under_way.attempt(self._session):
                with self._inside(present, watch), holding(under_way.held), self._session.held_by(under_way):
                    called = self._call(present)
                result = under_way.result(called)
                if under_way.has_begun:
                    self._commit.complete([result], self._inside_again)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a scientist's code may raise anything
            self.settle_waiting()
            self._fail(present, attempt, error if under_way.has_begun else self._why(present, inputs, error))
        else:
            self._finish(result, has_committed=under_way.has_begun)

    def _why(self, keys: Keys, inputs: Sequence[Versions], error: BaseException) -> BaseException:
        """What is to blame for an error of `make`: that its inputs went or changed meanwhile, or itself."""
        try:
            self._inputs.check(keys, inputs)
        except (InputGoneError, SupersededError) as found:
            found.__cause__ = error
            return found
        except DjflowError:
            pass
        return error

    def _versions_of(self, key: Mapping[str, Any]) -> Versions:
        expected = self._expected.pop(tuple(key.values()), None)
        return self._inputs.versions([key])[0] if expected is None else expected

    def _finish(self, result: Result, *, has_committed: bool) -> None:
        if has_committed:
            self._note_made(result)
            return
        if result.is_alone:
            self.settle_waiting()
        self._group.add(result)
        if result.is_alone or self._group.is_full():
            self.settle_waiting()

    def _make_again(self) -> None:
        while self._again:
            again = self._again.popleft()
            if again.attempt > 1:
                time.sleep(pause(again.attempt))
            self._make(again.keys, again.attempt)
            self.settle_waiting()

    @contextmanager
    def _inside(self, keys: Keys, watch: "Watch | None") -> Iterator[None]:
        watching = nullcontext() if watch is None else self._session.watched_by(watch)
        with making(self._name), calling(self._ancestry, keys), watching:
            yield

    def _inside_again(self, result: Result) -> AbstractContextManager[None]:
        return self._inside(result.keys, result.watch)

    # commits

    def holds(self, tables: Collection[TableName]) -> bool:
        """Whether results wait that have rows of these tables."""
        return self._group.holds(tables)

    def settle_waiting(self) -> None:
        """Commit what waits; the ends of it are told with the next ones."""
        group, self._group = self._group, Group()
        self._settle(group.results)

    def _settle(self, results: Sequence[Result]) -> None:
        """Commit results together; where that fails, half of them, until who is to blame is alone."""
        if not results:
            return
        try:
            self._commit.commit(results, self._inside_again)
        except Exception as error:  # noqa: BLE001 - three-part makes insert here, and may raise anything
            if len(results) == 1:
                self._fail(results[0].keys, results[0].attempt, error)
                return
            middle = len(results) // 2
            self._settle(results[:middle])
            self._settle(results[middle:])
        else:
            for result in results:
                self._note_made(result)

    # ends

    def _fail(self, keys: Keys, attempt: int, error: BaseException) -> None:
        if len(keys) > 1:
            middle = len(keys) // 2
            self._again += [_Again(half, 1) for half in (keys[:middle], keys[middle:])]
        elif attempt < ATTEMPTS and self._is_worth_repeating(error):
            self._again.append(_Again(keys, attempt + 1))
        else:
            end = self._end_of(keys[0], error)
            self._ended.append(Ended(keys[0], end, error if end is End.FAILED else None))

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if self._session.in_transaction:  # only the whole of it could be repeated
            return False
        return isinstance(error, SupersededError) or is_safe(error, self._session)

    def _end_of(self, key: Mapping[str, Any], error: BaseException) -> End:
        """Whether a key has failed since others made it, took its job, or took its input away."""
        with suppress(DjflowError):
            match error:
                case InputGoneError() | LeaseLostError():
                    return End.SKIPPED
                case OutcomeUnknownError() if self._table & dict(key):
                    return End.MADE
                case DuplicateError() if self._table & dict(key):
                    return End.SKIPPED
                case IntegrityError() if not self._table.key_source & dict(key):
                    return End.SKIPPED
        return End.FAILED

    def _note_made(self, result: Result) -> None:
        self._ended += [Ended(key, End.MADE) for key in result.keys]
        self._rows += result.held.rows
        self._nbytes += result.held.nbytes

    def take_written(self) -> tuple[int, int]:
        """How many rows, and about how many bytes, were committed since this was asked last."""
        written, self._rows, self._nbytes = (self._rows, self._nbytes), 0, 0
        return written

    def _take_ended(self) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended
