"""Errors of settings."""

from collections.abc import Sequence

from djflow.errors.base import DjflowError
from djflow.errors.text import did_you_mean


class ConfigError(DjflowError, ValueError):
    """A setting that cannot be read or used.

    Attributes: `key` (dotted name of the setting, or empty), `source` (where it was given, or empty),
    `line` and `column` (1-based; 0 where there is none).
    """

    key: str
    source: str
    line: int
    column: int

    def __init__(
        self, message: str, *, key: str = "", source: str = "", line: int = 0, column: int = 0
    ) -> None:
        self.key, self.source, self.line, self.column = key, source, line, column
        super().__init__(message)


class UnknownSettingError(ConfigError, KeyError, AttributeError):
    """A setting that does not exist; `hasattr` and `get` take it for an absent one.

    Attributes: `key`, `candidates` (the names there are).
    """

    candidates: tuple[str, ...]

    def __init__(self, key: str, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(f"There is no setting {key!r}.{did_you_mean(key, self.candidates)}", key=key)

    # KeyError would show the message between quotes.
    def __str__(self) -> str:
        return Exception.__str__(self)


class ThreadSafetyError(DjflowError):
    """Global state was used in thread-safe mode."""


class ConfigWarning(UserWarning):
    """Something that was probably meant as a setting, and is none; or a setting in the wrong place."""


class CredentialsWarning(ConfigWarning):
    """Credentials stand in a file that people commit."""
