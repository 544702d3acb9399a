"""Errors of computing rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from djflow.errors.base import DjflowError


class InputChangedError(DjflowError):
    """What a `make` had fetched was changed by others before its result was inserted.

    Attributes: `table`, and `key` (the one being made).
    """

    table: str
    key: dict[str, Any]

    def __init__(self, table: str, key: Mapping[str, Any]) -> None:
        self.table, self.key = table, dict(key)
        super().__init__(f"What {table} had fetched for {self.key} has changed while it computed.")
        self.suggest("Populate again. Where that does not help, make_fetch returns something else each time.")


class InputGoneError(DjflowError):
    """Keys that `key_source` has no longer, now that their results are about to be inserted; nothing was.

    Attributes: `table` and `keys`.
    """

    table: str
    keys: list[dict[str, Any]]

    def __init__(self, table: str, keys: list[dict[str, Any]]) -> None:
        self.table, self.keys = table, keys
        super().__init__(f"While {table} was made, its key_source lost {len(keys)} of the keys: {keys[0]}.")
        self.suggest("Somebody deleted what they come from: there is nothing left to compute for them.")


class UnusableKeyError(DjflowError):
    """A table that cannot be populated, for its keys are no plain values. `table`, `attribute` and `type`."""

    table: str
    attribute: str
    type: str

    def __init__(self, table: str, attribute: str, type_: str) -> None:
        self.table, self.attribute, self.type = table, attribute, type_
        super().__init__(
            f"{table} cannot be populated: its key_source gives {attribute!r} of type {type_}, and keys are "
            "not told apart by such values."
        )
        self.suggest(
            "Give the parent a plain key, such as a number or a uuid, and move that attribute below '---', "
            "or define a key_source without it."
        )


class WorkerDiedError(DjflowError):
    """A worker died while it made one key alone: a crash in compiled code, a kill, no memory left.

    It is what the key's job, or the result of `populate`, tells instead of an error of `make`.
    """


class WatchBlockedError(DjflowError):
    """Nobody could be told of a table's inserts, for others kept it locked; nothing was changed.

    Attributes: `table`, `seconds` (how long it was tried), and `blockers`: who was in the way at the end,
    each as text with process, role, application, and how long its transaction has lasted.
    """

    table: str
    seconds: float
    blockers: tuple[str, ...]

    def __init__(self, table: str, seconds: float, blockers: Sequence[str]) -> None:
        self.table, self.seconds, self.blockers = table, seconds, tuple(blockers)
        listed = "".join(f"\n  - {each}" for each in self.blockers) or " others."
        super().__init__(f"{table} cannot be watched: within {seconds:g} s it was never free of{listed}")
        self.suggest(
            "Watch again when they are done: what inserts keeps its table until its transaction ends."
        )
