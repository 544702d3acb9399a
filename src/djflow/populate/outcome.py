"""What became of the keys of one run."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from djflow.populate.make.hand import End, Ended


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

    def summary(self, *, as_objects: bool) -> dict[str, Any]:
        """What `populate` returns: numbers, and pairs of key and error, as message or as exception."""
        errors = [
            (key, error if as_objects else f"{type(error).__name__}: {error}") for key, error in self.errors
        ]
        return {"success": self.made, "error": len(errors), "skip": self.skipped, "errors": errors}
