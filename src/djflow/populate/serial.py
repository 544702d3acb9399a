"""One key after another in this process."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from djflow.populate.make.hand import End, Ended, Hand

if TYPE_CHECKING:
    from djflow.populate.tiers import AutoPopulated


_EXPECTED: Final = 256  # keys


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
    try:
        for number, key in enumerate(_shown(keys, type(table).__name__) if display_progress else keys):
            if number % _EXPECTED == 0:
                hand.expect(keys[number : number + _EXPECTED])
            outcome.add(hand.make(key), suppress_errors=suppress_errors)
    finally:
        last = hand.settle()
    outcome.add(last, suppress_errors=suppress_errors)
    return outcome


def _shown(keys: list[dict[str, Any]], name: str) -> "Iterable[dict[str, Any]]":
    from tqdm.auto import tqdm

    return tqdm(keys, desc=name, unit="key")  # type: ignore[no-any-return]
