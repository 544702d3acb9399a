"""What became of the keys of one run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from djflow.pipeline import events
from djflow.pipeline.make.hand import End, Ended
from djflow.pipeline.telling import told, with_key


@dataclass(slots=True)
class Outcome:
    """What became of the keys."""

    made: int = 0
    skipped: int = 0
    errors: list[tuple[dict[str, Any], BaseException]] = field(default_factory=list)
    rows: int = 0
    nbytes: int = 0

    def wrote(self, rows: int, nbytes: int) -> None:
        """Note how much was written for keys that were made."""
        self.rows += rows
        self.nbytes += nbytes

    def count(self, ended: Iterable[Ended]) -> None:
        """Count what has ended."""
        for each in ended:
            self.made += each.end is End.MADE
            self.skipped += each.end is End.SKIPPED
            if each.error is not None:
                self.errors.append((dict(each.key), each.error))
                with_key(each.error, dict(each.key))

    def add(self, ended: Iterable[Ended], *, suppress_errors: bool) -> None:
        """Count what has ended. Raises the first error, unless errors are suppressed."""
        before = len(self.errors)
        self.count(ended)
        if not suppress_errors:
            self.raise_first(before)

    def raise_first(self, before: int) -> None:
        """Raise the first error beyond a number of them, if there is one."""
        for _, error in self.errors[before:]:
            raise error

    def add_ended(self, ended: events.Ended) -> None:
        """Count what a worker told."""
        self.made += ended.made
        self.skipped += ended.skipped
        self.errors += [(dict(key), error) for key, error in ended.failed]
        self.wrote(ended.rows, ended.nbytes)

    def summary(self, *, as_objects: bool) -> dict[str, Any]:
        """What `populate` returns: numbers, and pairs of key and error, as message or as exception."""
        errors = [(key, error if as_objects else told(error)) for key, error in self.errors]
        return {"success": self.made, "error": len(errors), "skip": self.skipped, "errors": errors}
