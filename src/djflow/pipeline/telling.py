"""What is told of an exception, whatever the exception is."""

import traceback
from contextlib import suppress


def told(error: BaseException) -> str:
    r"""Type and message, as text that can be stored.

    >>> told(ValueError("too small")), told(OSError("a\udcff"))
    ('ValueError: too small', 'OSError: a?')
    """
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the user's classes may raise anything here
        message = "its message cannot be told"
    return _storable(f"{type(error).__name__}: {message}")


def stack_of(error: BaseException) -> str:
    """The traceback, as text that can be stored."""
    try:
        return _storable("".join(traceback.format_exception(error)))
    except Exception:  # noqa: BLE001 - as above
        return _storable("".join(traceback.format_tb(error.__traceback__)))


def with_key(error: BaseException, key: object) -> None:
    """Add to an exception which key it is about, if it lets that happen."""
    with suppress(Exception):
        error.add_note(f"While making the key {key}.")


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode()
