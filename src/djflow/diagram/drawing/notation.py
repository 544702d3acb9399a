"""How tables of each tier look, and what is written in which size."""

import unicodedata
from dataclasses import dataclass
from typing import Final, Literal

from djflow.model.names import Tier

FONT: Final = "Helvetica,Arial,sans-serif"
BACKGROUND: Final = "#ffffff"  # said, as notebooks may be dark
LINE: Final = "#8a94a3"
RENAMED: Final = "#f07c00"
FRAME: Final = "#b6bdc8"
TITLE: Final = "#5b6472"
MADE: Final = "#2e9e5b"
FAILED: Final = "#d64545"
MISSING: Final = "#d5d9df"
TITLE_SIZE: Final = 12.0
NOTE_SIZE: Final = 8.5


@dataclass(frozen=True, slots=True)
class Look:
    """Shape by Graphviz's name, colours, and the size of the letters in points."""

    shape: Literal["box", "ellipse", "plaintext", "box3d"]
    fill: str | None
    stroke: str | None
    ink: str
    size: float


_LOOKS: Final = {
    Tier.MANUAL: Look("box", "#d9f2df", "#86cf9b", "#14532d", 12),
    Tier.LOOKUP: Look("plaintext", "#e4e6ea", None, "#1f2937", 10),
    Tier.IMPORTED: Look("ellipse", "#dbe8fd", "#93b8f0", "#1e3a8a", 12),
    Tier.COMPUTED: Look("ellipse", "#fbdedd", "#eea6a3", "#7f1d1d", 12),
    Tier.PART: Look("plaintext", None, None, "#1f2937", 10),
}
_FOLDED: Final = Look("box3d", "#d3d7dd", "#7b8494", "#1f2937", 11)

_WIDTHS: Final = {  # thousandths of the size, of Helvetica's letters
    "'": 191,
    "ijl": 222,
    "|": 260,
    " !,./:;I[\\]ft": 278,
    "()-`r{}": 333,
    '"*': 372,
    "^": 469,
    "Jcksvxyz": 500,
    "FTZ": 611,
    "&ABEKPSVXY": 667,
    "CDHNRUw": 722,
    "GOQ": 778,
    "Mm": 833,
    "%": 889,
    "W": 944,
    "@": 1015,
}
_WIDTH: Final = {letter: width for letters, width in _WIDTHS.items() for letter in letters}
_ASCII: Final = 128


def look(tier: Tier | None) -> Look:
    """How tables of a tier look; None stands for folded ones."""
    return _FOLDED if tier is None else _LOOKS[tier]


def text_width(text: str, size: float) -> float:
    """About how wide a text is, in points.

    >>> text_width("Mill", 10) < text_width("Mouse", 10) < text_width("Mouse", 12)
    True
    """
    return sum(map(_letter, text)) * size / 1000


def _letter(letter: str) -> int:
    if ord(letter) < _ASCII:
        return _WIDTH.get(letter, 556)
    return 1000 if unicodedata.east_asian_width(letter) in "WF" else 600
