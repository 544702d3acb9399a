"""One key after another in this process."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from djflow.populate.make.hand import End, Ended, Hand
from djflow.populate.make.protocol import takes_batches

if TYPE_CHECKING:
    from djflow.populate.tiers import AutoPopulated


_BATCH: Final = 256  # keys


@dataclass(slots=True)
class Outcome:
    """What became of the keys."""

    made: int = 0
    skipped: int = 0
    errors: list[tuple[dict[str, Any], BaseException]] = field(default_factory=list)

    def add(self, ended: Iterable[Ended], *, suppress_errors: bool) -> None:
        """Count what has ended. Raises the first error, unless errors are suppressed."""
        first: BaseException | None = None
        for each in ended:
            self.made += each.end is End.MADE
            self.skipped += each.end is End.SKIPPED
            if each.error is not None:
                self.errors.append((dict(each.key), each.error))
                each.error.add_note(f"While making the key {dict(each.key)}.")
                first = first or each.error
        if first is not None and not suppress_errors:
            raise first


def run_serially(
    table: "AutoPopulated",
    keys: list[dict[str, Any]],
    *,
    suppress_errors: bool,
    display_progress: bool,
    make_kwargs: Mapping[str, Any],
) -> Outcome:
    """Make every key; whatever ends it, what is whole is committed."""
    outcome, hand = Outcome(), Hand(table, make_kwargs)
    at_once = _BATCH if takes_batches(table) else 1
    with _bar(len(keys), type(table).__name__, is_shown=display_progress) as advance:
        try:
            for start in range(0, len(keys), _BATCH):
                some = keys[start : start + _BATCH]
                hand.expect(some)
                for first in range(0, len(some), at_once):
                    ended = hand.make(*some[first : first + at_once])
                    advance(len(ended))
                    outcome.add(ended, suppress_errors=suppress_errors)
        finally:
            last = hand.settle()
            advance(len(last))
    outcome.add(last, suppress_errors=suppress_errors)
    return outcome


@contextmanager
def _bar(total: int, name: str, *, is_shown: bool) -> "Iterator[Callable[[int], object]]":
    if not is_shown:
        yield lambda _: None
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, desc=name, unit="key") as bar:
        yield bar.update
