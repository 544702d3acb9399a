"""How much `populate` minds what a `make` reads."""

from enum import StrEnum
from typing import Self

from djflow.errors import InvalidArgumentError, did_you_mean


class Reads(StrEnum):
    """What becomes of reading a table that is not upstream, or rows of another key."""

    OPEN = "open"
    """Nothing: nobody looks."""
    WARN = "warn"
    """A `ReadsWarning`; what was read is recorded with the result."""
    STRICT = "strict"
    """A `ReadsError`, so that the key fails; what was read for others is recorded with their results."""

    @classmethod
    def of(cls, text: str) -> Self:
        """The member of a name. Raises `InvalidArgumentError` for another one.

        >>> Reads.of("warn")
        <Reads.WARN: 'warn'>
        """
        try:
            return cls(text)
        except ValueError:
            known = [str(each) for each in cls]
            hint = did_you_mean(str(text), known)
            raise InvalidArgumentError(
                f"reads is one of {', '.join(map(repr, known))}, not {text!r}.{hint}"
            ) from None
