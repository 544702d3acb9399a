"""A call of `make` under way: it holds back what it inserts, until something else wants to see that."""

import datetime as dt
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from djflow.errors import DjflowError
from djflow.model.names import TableName
from djflow.pipeline.make.commit import Lock, Result, check_source, has_own_source, no_lock
from djflow.pipeline.make.inputs import Inputs, Versions
from djflow.pipeline.make.protocol import Called
from djflow.tables.held import HeldRows
from djflow.tables.write import write_held

if TYPE_CHECKING:
    from djflow.backend.session import Session
    from djflow.backend.transaction import Transaction
    from djflow.pipeline.reads.watch import Watch


class Waiting(Protocol):
    """Results of earlier calls that wait to be committed."""

    def holds(self, tables: Collection[TableName]) -> bool:
        """Whether there are rows of these tables among them."""
        ...

    def settle_waiting(self) -> None:
        """Commit them."""
        ...


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


@dataclass(slots=True)
class UnderWay:
    """What one call has inserted so far, and the transaction of its own, once it has one."""

    keys: tuple[Mapping[str, Any], ...]
    versions: Sequence[Versions]
    held: HeldRows
    inputs: Inputs
    waiting: Waiting
    attempt_number: int
    watch: "Watch | None" = None
    lock: Lock = no_lock
    has_begun: bool = False
    _session: "Session | None" = None
    _transaction: "Transaction | None" = None
    _depth: int = 0
    _failure: BaseException | None = None
    _started: dt.datetime = field(default_factory=_now)
    _clock: float = field(default_factory=time.perf_counter)

    @contextmanager
    def attempt(self, session: "Session") -> Iterator[None]:
        """From the call to the end of its transaction, if it gets one, which is kept if nothing is raised."""
        self._session = session
        try:
            yield
            if self._transaction is not None:
                self._check_blocks(self._transaction)
                session.commit(self._transaction)
        except BaseException:
            if self._transaction is not None:
                while self._transaction.depth >= self._depth:
                    session.roll_back(self._transaction)
            raise

    def _check_blocks(self, transaction: "Transaction") -> None:
        if transaction.depth != self._depth:
            what = "left a transaction open" if transaction.depth > self._depth else "ended the transaction"
            raise DjflowError(f"{type(self.inputs.table).__name__}.make {what} in which it runs.").suggest(
                "Use `with connection.transaction:`, which ends what it begins."
            )

    def result(self, called: Called) -> Result:
        """What came of the call. Raises what reading or writing raised in it, even if it caught that."""
        if self._failure is not None:
            raise self._failure
        if self.watch is not None:
            self.watch.check()
        taken = (time.perf_counter() - self._clock) / len(self.keys)
        # A transaction of its own has seen to the inputs when it began.
        versions = () if self.has_begun else self.versions
        return Result(
            self.keys,
            self.held,
            called,
            self._started,
            taken,
            versions,
            self.attempt_number,
            is_checked=self.has_begun,
            watch=self.watch,
        )

    def before_reading(self, tables: Collection[TableName]) -> None:
        """What `make` is about to read has to be there."""
        if self.held.tables & set(tables):
            self.before_writing()
        elif not self.has_begun and self.waiting.holds(tables):
            self.waiting.settle_waiting()

    def before_writing(self) -> None:
        """From here on, the call has a transaction of its own."""
        if self.has_begun:
            return
        assert self._session is not None  # noqa: S101 - it is told this inside attempt()
        self.waiting.settle_waiting()
        self._transaction = self._session.begin("repeatable read")
        self._depth = self._transaction.depth
        self.has_begun = self.held.is_written = True
        try:
            self.lock(self.keys)
            self.inputs.check(self.keys, self.versions)
            if has_own_source(self.inputs.table):
                check_source(self.inputs.table, self.keys)
            write_held([self.held], self.inputs.table.connection)
        except BaseException as error:
            self._failure = error  # whoever catches it would go on without rows that were inserted
            raise
        self.held.inserts.clear()
