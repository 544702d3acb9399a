"""Where a layout would grow without end in one direction, and what keeps it from that."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from math import ceil, sqrt
from typing import Final

from djflow.diagram.drawing.model import Drawing, Group, Node

_APART: Final = {"LR": (34.0, 11.0), "TB": (11.0, 27.0)}  # points between columns, and between rows
_FEW: Final = 4
_LARGE: Final = 80  # nodes: fewer are readable as they come


@dataclass(frozen=True, slots=True)
class Fence:
    """All of some nodes are placed before all of others."""

    before: tuple[str, ...]
    behind: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`lengths` of lines in ranks where it is not 1, nodes `stacked` one behind the other, and `fences`."""

    lengths: Mapping[tuple[str, str], int] = field(default_factory=dict)
    stacked: tuple[tuple[str, str], ...] = ()
    fences: tuple[Fence, ...] = ()


def arrange(drawing: Drawing) -> Arrangement:
    """What makes tables without foreign keys a block, has many children take turns, and folds long rows.

    In a large drawing each schema begins where its first parents are, not behind them; from top to bottom,
    schemas come one below the other.
    """
    linked = {name for line in drawing.lines for name in (line.parent, line.child)}
    stacked = [
        pair
        for group in drawing.groups
        for pair in _chains([node for node in group.nodes if node.name not in linked], drawing.direction)
    ]
    lengths = _lengths(drawing)
    if len(drawing.nodes) < _LARGE:
        return Arrangement(lengths, tuple(stacked))
    if drawing.direction == "TB":
        return Arrangement(lengths, tuple(stacked), _fences(drawing))
    return Arrangement(lengths | dict.fromkeys(_between(drawing), 0), tuple(stacked))


def _chains(alone: Sequence[Node], direction: str) -> list[tuple[str, str]]:
    if len(alone) < _FEW:
        return []
    size = _depth(alone, direction)
    return [(a.name, b.name) for n, (a, b) in enumerate(pairwise(alone), 1) if n % size]


def _depth(nodes: Sequence[Node], direction: str) -> int:
    """Over how many ranks to spread nodes, so that they become about a square."""
    between_columns, between_rows = _APART[direction]
    width = sum(node.width for node in nodes) / len(nodes) + between_columns
    height = sum(node.height for node in nodes) / len(nodes) + between_rows
    deep, broad = (width, height) if direction == "LR" else (height, width)
    return max(1, ceil(sqrt(len(nodes) * broad / deep)))


def _lengths(drawing: Drawing) -> dict[tuple[str, str], int]:
    """Of many leaves below one parent, the next rank takes some, the one behind it others."""
    nodes = {node.name: node for node in drawing.nodes}
    pairs = dict.fromkeys((line.parent, line.child) for line in drawing.lines)
    parents, inner = Counter(child for _, child in pairs), {parent for parent, _ in pairs}
    leaves: dict[str, list[Node]] = defaultdict(list)
    for parent, child in pairs:
        if parents[child] == 1 and child not in inner:
            leaves[parent].append(nodes[child])
    found: dict[tuple[str, str], int] = {}
    for parent, children in leaves.items():
        if len(children) > 2 * _FEW:
            size = _depth(children, drawing.direction)
            found |= {(parent, child.name): 1 + n % size for n, child in enumerate(children)}
    return found


def _between(drawing: Drawing) -> Iterator[tuple[str, str]]:
    """Parents and children in different groups."""
    homes = _homes(drawing)
    for line in drawing.lines:
        if homes[line.parent] != homes[line.child]:
            yield line.parent, line.child


def _homes(drawing: Drawing) -> dict[str, int]:
    return {node.name: number for number, group in enumerate(drawing.groups) for node in group.nodes}


def _fences(drawing: Drawing) -> tuple[Fence, ...]:
    """Between each group and the next, unless some depend on each other in a circle."""
    groups = _parents_first(drawing)
    if groups is None:
        return ()
    homes = _homes(drawing)
    inner = [(line.parent, line.child) for line in drawing.lines if homes[line.parent] == homes[line.child]]
    parents, children = {parent for parent, _ in inner}, {child for _, child in inner}
    return tuple(Fence(_others(a, parents), _others(b, children)) for a, b in pairwise(groups))


def with_parents_first(drawing: Drawing) -> Drawing:
    """The drawing with each group behind those on which it depends; as it is where there is a circle."""
    groups = _parents_first(drawing)
    return drawing if groups is None else replace(drawing, groups=groups)


def _parents_first(drawing: Drawing) -> tuple[Group, ...] | None:
    homes = _homes(drawing)
    above: dict[int, set[int]] = {number: set() for number in range(len(drawing.groups))}
    for parent, child in _between(drawing):
        above[homes[child]].add(homes[parent])
    try:
        return tuple(drawing.groups[number] for number in TopologicalSorter(above).static_order())
    except CycleError:
        return None


def _others(group: Group, names: set[str]) -> tuple[str, ...]:
    return tuple(node.name for node in group.nodes if node.name not in names)
