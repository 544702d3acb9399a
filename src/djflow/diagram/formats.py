"""Which kind of file a diagram is saved as."""

from enum import StrEnum
from pathlib import Path
from typing import Final

from djflow.errors import InvalidArgumentError


class Format(StrEnum):
    """What a diagram can be saved as."""

    SVG = "svg"
    PNG = "png"
    DOT = "dot"
    MERMAID = "mermaid"
    TEXT = "text"


_SUFFIXES: Final = {
    ".svg": Format.SVG,
    ".png": Format.PNG,
    ".dot": Format.DOT,
    ".gv": Format.DOT,
    ".mmd": Format.MERMAID,
    ".mermaid": Format.MERMAID,
    ".txt": Format.TEXT,
}


def format_of(path: Path, wanted: str | None = None) -> Format:
    """The format that is wanted, or else the one that the name of the file tells.

    Raises `InvalidArgumentError`, which lists those that there are.

    >>> format_of(Path("lab.SVG")), format_of(Path("lab.md"), "mermaid")
    (<Format.SVG: 'svg'>, <Format.MERMAID: 'mermaid'>)
    """
    found = _SUFFIXES.get(path.suffix.lower()) if wanted is None else _named(str(wanted))
    if found is None:
        suffixes = ", ".join(_SUFFIXES)
        raise InvalidArgumentError(
            f"Cannot save a diagram as {wanted or path.suffix or 'a file without a suffix'}: "
            f"end the name in one of {suffixes}, or say format='svg' ({', '.join(Format)})."
        )
    return found


def _named(wanted: str) -> Format | None:
    try:
        return Format(wanted.lower())
    except ValueError:
        return _SUFFIXES.get(f".{wanted.lower()}")
