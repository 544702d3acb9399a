"""Pieces of messages: the closest name, the place in a text."""

from collections.abc import Sequence
from difflib import get_close_matches


def did_you_mean(name: str, candidates: Sequence[str]) -> str:
    """A hint that names the closest candidate, or nothing.

    >>> did_you_mean("sesion", ["subject", "session"])
    " Did you mean 'session'?"
    """
    close = get_close_matches(name, candidates, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def shown(value: object) -> str:
    """A value as people type it, or what it is where that is too much."""
    try:
        return repr(value)
    except (ValueError, RecursionError):  # for integers of many thousand digits, or deep nesting
        return f"a large {type(value).__name__}"


def pointed(text: str, position: int | None, width: int = 100) -> str:
    """The line of a text around a position, with a caret under it; long lines are shown in part.

    >>> print(pointed("a = = 1", 4))
    <BLANKLINE>
      a = = 1
          ^
    """
    if not text:
        return ""
    place = min(position or 0, len(text))
    begin = text.rfind("\n", 0, place) + 1
    line = text[begin:].partition("\n")[0]
    skipped = max(0, place - begin - width // 2)
    before = "... " if skipped else ""
    after = " ..." if len(line) > skipped + width else ""
    shown = f"{before}{line[skipped : skipped + width]}{after}"
    caret = "" if position is None else "\n  " + " " * (len(before) + place - begin - skipped) + "^"
    return f"\n  {printable(shown)}{caret}"


def printable(text: str) -> str:
    """The text with characters that would move or hide others replaced by dots."""
    return "".join(character if character.isprintable() else "·" for character in text)
