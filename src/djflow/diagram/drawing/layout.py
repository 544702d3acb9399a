"""Where Graphviz places what is drawn, in points from the upper left corner."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from djflow.diagram.drawing.model import Drawing

Point: TypeAlias = tuple[float, float]
Curve: TypeAlias = tuple[Point, ...]
"""A point, then three for each piece of a cubic curve."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """`centres` of nodes by name, `curves` of lines in their order, `frames` of groups in theirs."""

    width: float
    height: float
    centres: Mapping[str, Point]
    curves: tuple[tuple[Curve, ...], ...]
    frames: tuple[Frame | None, ...]


def read_layout(drawing: Drawing, text: str) -> Layout:
    """The layout of a drawing from what Graphviz tells of it as `json0`.

    It tells nodes in the order in which they were written, but changes some names.
    """
    told = json.loads(text, strict=False)  # Graphviz leaves control characters as they are
    _, _, width, height = _numbers(told["bb"])
    objects: list[dict[str, Any]] = told.get("objects", [])
    groups = {each["name"]: each for each in objects[: told["_subgraph_cnt"]]}
    nodes = objects[told["_subgraph_cnt"] :][: len(drawing.nodes)]  # behind them are fences
    places = zip(drawing.nodes, nodes, strict=True)
    frames = [groups.get(f"cluster_{number}", {}).get("bb") for number in range(len(drawing.groups))]
    return Layout(
        width,
        height,
        {node.name: _point(place["pos"], height) for node, place in places},
        _curves(drawing, [each["_gvid"] for each in nodes], told.get("edges", []), height),
        tuple(None if frame is None else _frame(frame, height) for frame in frames),
    )


def _curves(
    drawing: Drawing, ids: Iterable[int], edges: Iterable[Mapping[str, Any]], height: float
) -> tuple[tuple[Curve, ...], ...]:
    """Lines between the same two nodes come in the order in which they were written."""
    numbers = {node.name: number for node, number in zip(drawing.nodes, ids, strict=True)}
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for edge in edges:
        found[edge["tail"], edge["head"]].append(edge.get("pos", ""))
    curves = []
    for line in drawing.lines:
        places = found[numbers[line.parent], numbers[line.child]].pop(0)
        pieces = (piece.split() for piece in places.split(";") if piece)
        curves.append(tuple(tuple(_point(each, height) for each in piece) for piece in pieces))
    return tuple(curves)


def _frame(text: str, height: float) -> Frame:
    left, bottom, right, top = _numbers(text)
    return Frame(left, height - top, right - left, top - bottom)


def _point(text: str, height: float) -> Point:
    x, y = _numbers(text)
    return x, height - y


def _numbers(text: str) -> list[float]:
    return [float(number) for number in text.split(",")]
