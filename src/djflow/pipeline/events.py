"""What a run tells while it goes on; `table` is the class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from djflow.pipeline.tiers import AutoPopulated


@dataclass(frozen=True, slots=True)
class Queued:
    """Jobs of a table were queued: its keys were missing when the run began, or have become possible."""

    table: "type[AutoPopulated]"
    jobs: int


@dataclass(frozen=True, slots=True)
class Began:
    """A worker began with keys of a table."""

    table: "type[AutoPopulated]"
    keys: Sequence[Mapping[str, Any]]
    worker: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker is done with keys of a table.

    `made` and `skipped` count keys, `failed` has those that are errors with what was raised. What was made
    has so many `rows`, with those of parts, of about `nbytes` bytes, and took so many `seconds` of a worker.
    Keys that are in none of the numbers were put off: they come again.
    """

    table: "type[AutoPopulated]"
    keys: Sequence[Mapping[str, Any]]
    made: int = 0
    skipped: int = 0
    failed: Sequence[tuple[Mapping[str, Any], BaseException]] = ()
    seconds: float = 0.0
    rows: int = 0
    nbytes: int = 0

    def raise_first(self) -> None:
        """Raise what the first of the failed keys raised, if any did."""
        for _, error in self.failed:
            raise error


Event: TypeAlias = Queued | Began | Ended
