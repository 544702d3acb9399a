"""A pipeline as text: tables with their tiers, each below the parent that it depends on last."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from djflow.diagram.boxes import Box, Picture
from djflow.model.names import TableName


def draw(picture: Picture, notes: Mapping[TableName, str] | None = None) -> str:
    """The dependency graph as an indented tree, with notes behind the tables that have some.

    A table with several parents stands below the one computed last; the others are named behind it.

    >>> from djflow.diagram.boxes import Link
    >>> image, spots = (Box("lab", TableName("lab", name)) for name in ("image", "__spots"))
    >>> labels = {image: "Image", spots: "Spots"}
    >>> picture = Picture((image, spots), labels, (Link(image, spots),))
    >>> print(draw(picture, {TableName("lab", "image"): "3 rows"}))
    Image  manual  3 rows
    └── Spots  computed
    """
    above = _parents(picture)
    chosen = {box: _chosen(box, above[box], picture) for box in picture.boxes}
    below: dict[Box | None, list[Box]] = defaultdict(list)
    for box, parent in chosen.items():
        below[parent].append(box)
    lines = []
    for indent, box in _walk(below):
        others = [each for each in above[box] if each != chosen[box] and each.table != _master(box)]
        words = (
            _label(box, chosen[box], picture),
            _tier(box),
            "" if box.table is None else (notes or {}).get(box.table, ""),
            _also(others, picture),
        )
        lines.append(indent + "  ".join(word for word in words if word))
    return "\n".join(lines)


def _parents(picture: Picture) -> dict[Box, list[Box]]:
    found: dict[Box, list[Box]] = {box: [] for box in picture.boxes}
    for parent, child in picture.neighbours:
        found[child].append(parent)
    return found


def _chosen(box: Box, above: Iterable[Box], picture: Picture) -> Box | None:
    """The box to stand below: one drawn earlier, so that each is drawn once."""
    earlier = [parent for parent in above if picture.place[parent] < picture.place[box]]
    master = next((parent for parent in earlier if parent.table == _master(box)), None)
    return master or max(earlier, key=lambda parent: picture.place[parent], default=None)


def _walk(below: Mapping[Box | None, Sequence[Box]]) -> Iterator[tuple[str, Box]]:
    """All boxes, each with the lines that lead to it; a stack, as trees may be deeper than Python's."""
    stack = [("", "", box) for box in reversed(below.get(None, ()))]
    while stack:
        lead, indent, box = stack.pop()
        yield lead, box
        children = below.get(box, ())
        for child in reversed(children):
            turn, further = ("└── ", "    ") if child == children[-1] else ("├── ", "│   ")
            stack.append((indent + turn, indent + further, child))


def _label(box: Box, parent: Box | None, picture: Picture) -> str:
    label = picture.labels[box]
    if parent is not None and parent.table is not None and parent.table == _master(box):
        return label.rpartition(".")[2]
    return label if len(picture.by_schema) == 1 or box.table is None else f"{box.schema}.{label}"


def _master(box: Box) -> TableName | None:
    return None if box.table is None else box.table.master


def _tier(box: Box) -> str:
    return "" if box.table is None else str(box.table.tier)


def _also(others: Iterable[Box], picture: Picture) -> str:
    labels = sorted(_label(other, None, picture) for other in others)
    return f"(also from {', '.join(labels)})" if labels else ""
