"""One key after another in this process."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from djflow.populate.make.hand import Hand
from djflow.populate.make.protocol import takes_batches
from djflow.populate.outcome import Outcome

if TYPE_CHECKING:
    from djflow.populate.tiers import AutoPopulated

_BATCH: Final = 256  # keys


def run_serially(
    table: "AutoPopulated",
    keys: list[dict[str, Any]],
    make_kwargs: Mapping[str, Any],
    *,
    suppress_errors: bool,
    advance: Callable[[int], object],
) -> Outcome:
    """Make every key; whatever ends it, what is whole is committed."""
    outcome, hand = Outcome(), Hand(table, make_kwargs)
    at_once = _BATCH if takes_batches(table) else 1
    try:
        for start in range(0, len(keys), _BATCH):
            some = keys[start : start + _BATCH]
            hand.expect(some)
            for first in range(0, len(some), at_once):
                ended = hand.make(*some[first : first + at_once])
                advance(len(ended))
                outcome.add(ended, suppress_errors=suppress_errors)
    except BaseException:
        outcome.count(hand.stop())
        raise
    last = hand.settle()
    advance(len(last))
    outcome.add(last, suppress_errors=suppress_errors)
    return outcome
