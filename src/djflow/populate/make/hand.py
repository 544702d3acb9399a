"""What one worker has in hand: the key that it makes, and results that wait to be committed with others."""

import datetime as dt
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from djflow.backend.retry import ATTEMPTS, is_safe, pause
from djflow.errors import DjflowError, DuplicateError, InputGoneError, IntegrityError
from djflow.model.names import TableName
from djflow.populate.make.commit import Commit, Group, Limits, Result
from djflow.populate.make.inputs import Inputs, SupersededError, Versions
from djflow.populate.make.protocol import Called, call
from djflow.populate.upstream import Ancestry, calling
from djflow.tables.held import HeldRows, holding
from djflow.tables.write import making, write_held

if TYPE_CHECKING:
    from djflow.backend.transaction import Transaction
    from djflow.populate.tiers import AutoPopulated


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


class Hand:
    """Makes keys of one table in one thread. No transaction is open while a `make` computes.

    Results wait until there are enough of them to be committed together. A `make` that reads what it has
    inserted, or writes elsewhere, has a transaction of its own from there to its end.
    """

    def __init__(
        self, table: "AutoPopulated", make_kwargs: Mapping[str, Any], limits: Limits | None = None
    ) -> None:
        self._table, self._make_kwargs, self._limits = table, make_kwargs, limits or Limits()
        self._name: Final = table.table_model.name
        self._session = table.connection.session
        self._ancestry, self._commit = Ancestry(table), Commit(table)
        self._checks: dict[TableName, Any] = {}
        self._group = Group()
        self._ended: list[Ended] = []
        self._held = HeldRows(self._name, self._checks)
        self._key: Mapping[str, Any] = {}
        self._own: Transaction | None = None
        self._failure: BaseException | None = None
        self._inputs, self._versions = Inputs(table), Versions()
        self._expected: dict[tuple[Any, ...], Versions] = {}
        self._superseded: list[tuple[Mapping[str, Any], BaseException]] = []

    def expect(self, keys: Sequence[Mapping[str, Any]]) -> None:
        """Note which versions of their inputs keys have: what is made of others is made again."""
        self._expected = {
            tuple(key.values()): versions
            for key, versions in zip(keys, self._inputs.versions(keys), strict=True)
        }

    def make(self, key: Mapping[str, Any]) -> list[Ended]:
        """Make one key; what has ended meanwhile, of this key and of others."""
        self._make(key)
        self._make_again()
        return self._take_ended()

    def settle(self) -> list[Ended]:
        """Commit what waits."""
        self.settle_waiting()
        self._make_again()
        return self._take_ended()

    def _make(self, key: Mapping[str, Any]) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._attempt(key)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - a scientist's code may raise anything
                # Committing with others repeats by itself: it was in a transaction of its own.
                if attempt == ATTEMPTS or not self._is_worth_repeating(error):
                    self.settle_waiting()
                    self._end(key, error)
                    return
                time.sleep(pause(attempt))
            else:
                return

    def _make_again(self) -> None:
        """Make those whose inputs were other ones when they were about to commit, each alone."""
        for _ in range(ATTEMPTS):
            again, self._superseded = self._superseded, []
            for key, _ in again:
                self._make(key)
                self.settle_waiting()
        for key, error in self._superseded:
            self._end(key, error)
        self._superseded = []

    def _is_worth_repeating(self, error: BaseException) -> bool:
        if self._session.in_transaction:  # only the whole of it could be repeated
            return False
        return isinstance(error, SupersededError) or is_safe(error, self._session)

    # told by the session, while `make` runs

    def before_reading(self, tables: Collection[TableName]) -> None:
        """What `make` is about to read has to be there."""
        if self._held.tables & set(tables):
            self.before_writing()
        elif self._own is None and self._group.holds(tables):
            self.settle_waiting()

    def before_writing(self) -> None:
        """From here on, the key has a transaction of its own."""
        if self._own is not None:
            return
        self.settle_waiting()
        self._own = self._session.begin("repeatable read")
        self._held.is_written = True
        try:
            if self._versions:
                self._inputs.check([self._key], [self._versions])
            write_held([self._held], self._table.connection)
        except BaseException as error:
            self._failure = error  # whoever catches it goes on without rows that were inserted
            raise
        self._held.inserts.clear()

    # one key

    def _attempt(self, key: Mapping[str, Any]) -> None:
        self._held, self._own, self._failure = HeldRows(self._name, self._checks), None, None
        self._key, self._versions = key, self._versions_of(key)
        if None in self._versions:
            self._ended.append(Ended(key, End.SKIPPED))
            return
        started, clock = dt.datetime.now(dt.UTC).replace(tzinfo=None), time.perf_counter()
        try:
            called = self._call(key)
            taken = time.perf_counter() - clock
            if self._own is not None:  # which has seen to the inputs when it began
                result = Result(key, self._held, called, started, taken, ())
                self._commit.complete([result], self._inside)
                self._session.commit(self._own)
                self._ended.append(Ended(key, End.MADE))
                return
        except BaseException:
            if self._own is not None and self._own.is_open:
                self._session.roll_back(self._own)
            raise
        self._wait(Result(key, self._held, called, started, taken, self._versions))

    def _versions_of(self, key: Mapping[str, Any]) -> Versions:
        expected = self._expected.pop(tuple(key.values()), None)
        return self._inputs.versions([key])[0] if expected is None else expected

    def _call(self, key: Mapping[str, Any]) -> Called:
        with (
            making(self._name),
            calling(self._ancestry, key),
            holding(self._held),
            self._session.held_by(self),
        ):
            return call(self._table, key, self._make_kwargs)

    def _wait(self, result: Result) -> None:
        if result.is_alone:
            self.settle_waiting()
        self._group.add(result)
        if result.is_alone or self._group.is_full(self._limits):
            self.settle_waiting()

    # several keys

    def settle_waiting(self) -> None:
        """Commit what waits; the ends of it are told with the next ones."""
        group, self._group = self._group, Group()
        self._settle(group.results)

    def _settle(self, results: Sequence[Result]) -> None:
        """Commit results together; where that fails, half of them, until who is to blame is alone."""
        if not results:
            return
        try:
            self._commit.commit(results, self._inside)
        except Exception as error:  # noqa: BLE001 - three-part makes insert here, and may raise anything
            if len(results) == 1:
                self._end_or_repeat(results[0].key, error)
                return
            middle = len(results) // 2
            self._settle(results[:middle])
            self._settle(results[middle:])
        else:
            self._ended += [Ended(result.key, End.MADE) for result in results]

    @contextmanager
    def _inside(self, key: Mapping[str, Any]) -> Iterator[None]:
        with making(self._name), calling(self._ancestry, key):
            yield

    def _end_or_repeat(self, key: Mapping[str, Any], error: Exception) -> None:
        if isinstance(error, SupersededError) and not self._session.in_transaction:
            self._superseded.append((key, error))
        else:
            self._end(key, error)

    def _end(self, key: Mapping[str, Any], error: BaseException) -> None:
        end = End.SKIPPED if self._is_settled(key, error) else End.FAILED
        self._ended.append(Ended(key, end, None if end is End.SKIPPED else error))

    def _is_settled(self, key: Mapping[str, Any], error: BaseException) -> bool:
        """Whether a key has failed since others made it, or took its input away."""
        with suppress(DjflowError):
            match error:
                case InputGoneError():
                    return True
                case DuplicateError():
                    return bool(self._table & dict(key))
                case IntegrityError():
                    return not (self._table.key_source & dict(key))
        return False

    def _take_ended(self) -> list[Ended]:
        ended, self._ended = self._ended, []
        return ended
