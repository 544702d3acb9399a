"""An exception in a form that travels, whatever the exception is."""

import pickle
import traceback
from dataclasses import dataclass, field, replace
from typing import Final, Self

from djflow.errors import DjflowError

LONGEST: Final = 50_000  # characters of a message or traceback, bytes of a pickled exception
_CUT: Final = "\n[...]\n"


@dataclass(frozen=True, slots=True)
class Failure:
    """What a task raised.

    `kind` is the name of its type, with the module unless that is of Python itself; `exception` is the
    object, None where it does not survive the way from another process.

    >>> Failure.of(ValueError("too small")).kind
    'ValueError'
    """

    kind: str
    message: str
    traceback: str = field(repr=False)
    exception: BaseException | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """The failure that an exception is, with the traceback from where it was caught."""
        text = "".join(traceback.format_exception(error))
        return cls(_kind(type(error)), shortened(_message(error)), shortened(text), error)

    def travelling(self) -> Self:
        """Without the exception if that cannot be pickled and read again."""
        try:
            pickled = pickle.dumps(self.exception)
            pickle.loads(pickled)  # noqa: S301 - pickled one line above
        except Exception:  # noqa: BLE001 - the user's classes may raise anything here
            return replace(self, exception=None)
        return self if len(pickled) <= LONGEST else replace(self, exception=None)

    def as_error(self) -> BaseException:
        """What was raised, or, where that did not survive the way, an error that tells of it."""
        if self.exception is not None:
            return self.exception
        error = DjflowError(str(self))
        error.add_note(self.traceback)
        return error

    def __reduce__(self) -> tuple[object, ...]:
        found = self.travelling()
        return Failure, (found.kind, found.message, found.traceback, found.exception)

    def __str__(self) -> str:
        """As the last line of a traceback."""
        return f"{self.kind}: {self.message}" if self.message else self.kind


def shortened(text: str) -> str:
    """A text of which too much is left out in the middle.

    >>> len(shortened("a" * 10**6)) <= LONGEST
    True
    """
    if len(text) <= LONGEST:
        return text
    half = (LONGEST - len(_CUT)) // 2
    return text[:half] + _CUT + text[-half:]


def _kind(cls: type[BaseException]) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - see above
        return "(an exception that cannot be shown)"
