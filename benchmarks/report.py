"""One line of the table: what was measured, against what, and whether that is good enough."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

HEADER: Final = ("name", "measured", "peer", "ratio", "target", "verdict")


class Verdict(Enum):
    """How a figure relates to its target."""

    MET = "ok"
    MISSED = "MISSED"
    UNJUDGED = ""
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class AtMost:
    """The measured value is at most so many times the peer's."""

    ratio: float

    def __str__(self) -> str:
        return f"<= {self.ratio:g}x"

    def met(self, measured: float, peer: float) -> bool:
        """Whether two values satisfy it."""
        return measured <= self.ratio * peer


@dataclass(frozen=True, slots=True)
class FasterBy:
    """The peer takes at least so many times as long."""

    factor: float

    def __str__(self) -> str:
        return f">= {self.factor:g}x faster"

    def met(self, measured: float, peer: float) -> bool:
        """Whether two values satisfy it."""
        return peer >= self.factor * measured


@dataclass(frozen=True, slots=True)
class MoreBy:
    """The measured value exceeds the peer's by at most so much."""

    excess: float

    def __str__(self) -> str:
        return f"<= peer + {self.excess:g}"

    def met(self, measured: float, peer: float) -> bool:
        """Whether two values satisfy it."""
        return measured <= peer + self.excess


Target = AtMost | FasterBy | MoreBy


def as_time(value: float) -> str:
    """Seconds in the unit that suits them.

    >>> as_time(1.5), as_time(0.25), as_time(0.000039)
    ('1.50 s', '250.0 ms', '39.0 us')
    """
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.1f} ms" if value >= 1e-3 else f"{value * 1e6:.1f} us"


def as_size(value: float) -> str:
    """Bytes in megabytes.

    >>> as_size(2_500_000)
    '2.5 MB'
    """
    return f"{value / 1e6:.1f} MB"


def as_count(value: float) -> str:
    """A number of things."""
    return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """A measured value beside its peer's, in one unit; without a target it is only told.

    `peer_name` says what the peer is, or, where `peer` is None, why there is none.
    """

    name: str
    measured: float | None
    peer_name: str
    peer: float | None
    target: Target | None = None
    unit: Callable[[float], str] = as_time

    @property
    def verdict(self) -> Verdict:
        """Whether the target is met."""
        if self.target is None:
            return Verdict.UNJUDGED
        if self.measured is None or self.peer is None:
            return Verdict.SKIPPED
        return Verdict.MET if self.target.met(self.measured, self.peer) else Verdict.MISSED

    def cells(self) -> tuple[str, ...]:
        """The texts of the table's columns."""
        measured = "" if self.measured is None else self.unit(self.measured)
        peer = self.peer_name if self.peer is None else f"{self.unit(self.peer)} {self.peer_name}"
        return self.name, measured, peer, self._ratio(), str(self.target or ""), self.verdict.value

    def _ratio(self) -> str:
        if not self.measured or not self.peer:
            return ""
        if self.measured < self.peer / 2:
            return f"{self.peer / self.measured:.1f}x faster"
        return f"{self.measured / self.peer:.2f}x"


def limit(name: str, measured: float, most: float, unit: Callable[[float], str] = as_time) -> Row:
    """A row whose peer is a fixed limit."""
    return Row(name, measured, "limit", most, AtMost(1), unit)


def table(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown, its columns aligned."""
    cells = [HEADER, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(texts, widths) for texts in cells]
    return "\n".join([lines[0], _line(["-" * width for width in widths], widths), *lines[1:]])


def _line(texts: Iterable[str], widths: Iterable[int]) -> str:
    padded = (text.ljust(width) for text, width in zip(texts, widths, strict=True))
    return f"| {' | '.join(padded)} |"
