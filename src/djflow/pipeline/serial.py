"""One key after another in this process."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from djflow.executors.task import nobody_asks
from djflow.pipeline.calls import Calls
from djflow.pipeline.make.hand import Hand
from djflow.pipeline.make.protocol import takes_batches
from djflow.pipeline.outcome import Outcome

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated

_BATCH: Final = 256  # keys


def nobody(_: int) -> None:
    """Nobody counts along."""


class SerialRun:
    """Makes given keys of a table."""

    def __init__(
        self,
        table: "AutoPopulated",
        calls: Calls,
        *,
        suppress_errors: bool,
        advance: Callable[[int], object] = nobody,
        should_stop: Callable[[], bool] = nobody_asks,
    ) -> None:
        self._suppress, self._advance, self._should_stop = suppress_errors, advance, should_stop
        self._hand, self._outcome = Hand(table, calls.make_kwargs, reads=calls.reads), Outcome()
        self._at_once = _BATCH if takes_batches(table) else 1

    def run(self, keys: list[dict[str, Any]]) -> Outcome:
        """Make every key, until asked to stop; whatever ends it, what is whole is committed."""
        try:
            for start in range(0, len(keys), _BATCH):
                self._make(keys[start : start + _BATCH])
        except BaseException:
            self._outcome.count(self._hand.stop())
            raise
        last = self._hand.settle()
        self._advance(len(last))
        self._outcome.add(last, suppress_errors=self._suppress)
        self._outcome.wrote(*self._hand.take_written())
        return self._outcome

    def _make(self, keys: list[dict[str, Any]]) -> None:
        if self._should_stop():
            return
        self._hand.expect(keys)
        for first in range(0, len(keys), self._at_once):
            if self._should_stop():
                return
            ended = self._hand.make(*keys[first : first + self._at_once])
            self._advance(len(ended))
            self._outcome.add(ended, suppress_errors=self._suppress)
