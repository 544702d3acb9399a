"""Errors of computing rows."""

from collections.abc import Mapping
from typing import Any

from djflow.errors.base import DjflowError


class InputChangedError(DjflowError):
    """What a `make` had fetched was changed by others before its result was inserted.

    Attributes: `table`, and `key` (the one being made).
    """

    def __init__(self, table: str, key: Mapping[str, Any]) -> None:
        self.table, self.key = table, dict(key)
        super().__init__(f"What {table} had fetched for {self.key} has changed while it computed.")
        self.suggest("Populate again. Where that does not help, make_fetch returns something else each time.")


class InputGoneError(DjflowError):
    """Keys that `key_source` has no longer, now that their results are about to be inserted.

    Attributes: `table` and `keys`.
    """

    def __init__(self, table: str, keys: list[dict[str, Any]]) -> None:
        self.table, self.keys = table, keys
        super().__init__(f"While {table} was made, its key_source lost {len(keys)} of the keys: {keys[0]}.")


class WorkerDiedError(DjflowError):
    """A worker died while it made one key alone: a crash in compiled code, a kill, no memory left."""
