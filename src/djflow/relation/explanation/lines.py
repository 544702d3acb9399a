"""Lines of a length that people read."""

from typing import Final

_LONGEST: Final = 150


def cut_to_line(text: str, longest: int = _LONGEST) -> str:
    """A line, cut to `longest` characters.

    >>> cut_to_line("a long story", 9)
    'a long...'
    """
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
