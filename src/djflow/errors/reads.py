"""Reading outside of what a computed row may depend on."""

from collections.abc import Mapping
from typing import Any

from djflow.errors.base import DjflowError


class ReadsError(DjflowError):
    """A `make` read what its key does not depend on, and was to be strict about it.

    Attributes: `table` (being made), `key` (the one being made, or the first of several), `read` (the table
    that was read, or "SQL") and `why` (what is wrong with that).
    """

    table: str
    key: dict[str, Any]
    read: str
    why: str

    def __init__(self, table: str, key: Mapping[str, Any], read: str, why: str) -> None:
        self.table, self.key, self.read, self.why = table, dict(key), read, why
        super().__init__(f"{table}.make({self.key}) read {read}: {why}.")


class ReadsWarning(UserWarning):
    """A `make` read what its key does not depend on. Told once a run, table read, and kind of fault."""
