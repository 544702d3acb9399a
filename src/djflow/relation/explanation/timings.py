"""Where PostgreSQL spent its time, read from the text of EXPLAIN ANALYZE."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_NODE: Final = re.compile(
    r"""
    ^(?P<lead>\s*(?:->\s*)?)(?P<node>\S.*?)
    \s+\(cost=[^()]*\)
    \s+\((?:actual\ time=[\d.]+\.\.(?P<end>[\d.]+)\ rows=(?P<rows>[\d.]+)\ loops=(?P<loops>\d+)
    |never\ executed)\)
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Timing:
    """A node of PostgreSQL's plan: `milliseconds` and `rows` over all its loops, those below it included."""

    depth: int
    node: str
    milliseconds: float
    rows: int


def timings_of(analysis: str) -> tuple[Timing, ...]:
    """The nodes of an analysed plan, outermost first.

    >>> timings_of("Limit  (cost=0.1..0.2 rows=1 width=4) (actual time=0.010..0.020 rows=1 loops=2)")
    (Timing(depth=0, node='Limit', milliseconds=0.04, rows=2),)
    """
    return tuple(_timings(analysis))


def _timings(analysis: str) -> Iterator[Timing]:
    leads: list[int] = []
    for line in analysis.split("\n"):
        found = _NODE.match(line)
        if found is None:
            continue
        lead = len(found["lead"])
        while leads and leads[-1] >= lead:
            leads.pop()
        loops = int(found["loops"] or 0)
        spent, rows = float(found["end"] or 0) * loops, round(float(found["rows"] or 0) * loops)
        yield Timing(len(leads), found["node"], spent, rows)
        leads.append(lead)
