"""A drawing with its layout as SVG, without a style sheet or names that a page around it could share."""

import re
from collections.abc import Iterator
from html import escape
from typing import Final

from djflow.diagram.drawing.layout import Curve, Frame, Layout, Point
from djflow.diagram.drawing.model import Drawing, Gauge, Group, Line, Node
from djflow.diagram.drawing.notation import (
    BACKGROUND,
    FAILED,
    FONT,
    FRAME,
    LINE,
    MADE,
    MISSING,
    NOTE_SIZE,
    RENAMED,
    TITLE,
    TITLE_SIZE,
    Look,
    look,
)

_STYLE: Final = 'style="max-width: 100%; height: auto"'
_MARGIN: Final = 8.0
_NOTE_HEIGHT: Final = 11.0
_BAR: Final = 4.0  # points, how thick
_DEPTH: Final = 4.0  # of the boxes of folded tables
_SIZE: Final = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Svg(str):
    """A picture as the text of an SVG file, which notebooks show as the picture."""

    __slots__ = ()

    @property
    def data(self) -> str:
        """The text."""
        return str(self)

    def _repr_svg_(self) -> str:
        return str(self)


def svg(drawing: Drawing, layout: Layout, title: str) -> Svg:
    """The picture; `title` says in words what it is."""
    width, height = layout.width + 2 * _MARGIN, layout.height + 2 * _MARGIN
    sizes = f'width="{_n(width)}" height="{_n(height)}" viewBox="0 0 {_n(width)} {_n(height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {sizes} role="img" font-family="{FONT}" {_STYLE}>',
        f"<title>{_text(title)}</title>",
        f'<rect width="100%" height="100%" rx="4" fill="{BACKGROUND}"/>',
        f'<g transform="translate({_n(_MARGIN)} {_n(_MARGIN)})">',
    ]
    for group, frame in zip(drawing.groups, layout.frames, strict=True):
        lines += _group(group, frame)
    for line, curves in zip(drawing.lines, layout.curves, strict=True):
        lines += _line(line, curves)
    for node in drawing.nodes:
        lines += _node(node, layout.centres[node.name])
    return Svg("\n".join([*lines, "</g>", "</svg>"]) + "\n")


def size_of(picture: Svg) -> tuple[float, float]:
    """Width and height of a picture, in points."""
    found = _SIZE.search(picture)
    assert found is not None  # noqa: S101 - it was written here
    return float(found[1]), float(found[2])


def _group(group: Group, frame: Frame | None) -> Iterator[str]:
    if frame is None:
        return
    yield (
        f'<rect x="{_n(frame.left)}" y="{_n(frame.top)}" width="{_n(frame.width)}" '
        f'height="{_n(frame.height)}" rx="5" fill="none" stroke="{FRAME}" stroke-dasharray="5 3"/>'
    )
    yield (
        f'<text x="{_n(frame.left + 7)}" y="{_n(frame.top + TITLE_SIZE + 3)}" font-size="{TITLE_SIZE:g}" '
        f'fill="{TITLE}">{_text(group.title)}</text>'
    )


def _line(line: Line, curves: tuple[Curve, ...]) -> Iterator[str]:
    path = " ".join(map(_path, curves))
    colour, width = RENAMED if line.is_renamed else LINE, 2 if line.is_thick else 1
    dashes = ' stroke-dasharray="5 3"' if line.is_dashed else ""
    yield f'<g fill="none"><title>{_text(line.tooltip)}</title>'
    yield f'<path d="{path}" stroke="{colour}" stroke-width="{width}"{dashes}/>'
    # So wide that the pointer finds it.
    yield f'<path d="{path}" stroke="none" stroke-width="8" pointer-events="stroke"/></g>'


def _path(curve: Curve) -> str:
    start, *others = (f"{_n(x)},{_n(y)}" for x, y in curve)
    return f"M{start} C{' '.join(others)}"


def _node(node: Node, centre: Point) -> Iterator[str]:
    seen = look(node.tier)
    yield f"<g><title>{_text(node.tooltip)}</title>"
    yield from _shape(node, seen, centre)
    yield from _words(node, seen, centre)
    yield "</g>"


def _shape(node: Node, seen: Look, centre: Point) -> Iterator[str]:
    x, y = centre
    paint = f'fill="{seen.fill or BACKGROUND}"' + (f' stroke="{seen.stroke}"' if seen.stroke else "")
    if seen.shape == "ellipse":
        sizes = f'rx="{_n(node.width / 2)}" ry="{_n(node.height / 2)}"'
        yield f'<ellipse cx="{_n(x)}" cy="{_n(y)}" {sizes} {paint}/>'
        return
    left, top, width, height = x - node.width / 2, y - node.height / 2, node.width, node.height
    if seen.shape == "box3d":
        width, height = width - _DEPTH, height - _DEPTH
        yield _rectangle(left + _DEPTH, top, width, height, paint)
        top += _DEPTH
    yield _rectangle(left, top, width, height, paint)


def _rectangle(left: float, top: float, width: float, height: float, paint: str) -> str:
    sizes = f'width="{_n(width)}" height="{_n(height)}"'
    return f'<rect x="{_n(left)}" y="{_n(top)}" {sizes} rx="2" {paint}/>'


def _words(node: Node, seen: Look, centre: Point) -> Iterator[str]:
    x, y = centre
    notes = () if node.gauge is None else node.gauge.words
    has_bar = node.gauge is not None and node.gauge.made is not None
    top = y - (seen.size + _NOTE_HEIGHT * len(notes) + (2 * _BAR if has_bar else 0)) / 2
    line = ' text-decoration="underline"' if node.is_underlined else ""
    middle = f'text-anchor="middle" fill="{seen.ink}"'
    yield (
        f'<text x="{_n(x)}" y="{_n(top + seen.size * 0.85)}" {middle} font-size="{seen.size:g}"{line}>'
        f"{_text(node.label)}</text>"
    )
    top += seen.size
    if node.gauge is not None and node.gauge.made is not None:
        yield from _bar(node.gauge, x, top + _BAR, node.width * 0.62)
        top += 2 * _BAR
    for number, note in enumerate(notes, 1):
        place = f'x="{_n(x)}" y="{_n(top + number * _NOTE_HEIGHT - 1.5)}"'
        yield f'<text {place} {middle} font-size="{NOTE_SIZE:g}">{_text(note)}</text>'


def _bar(gauge: Gauge, centre: float, top: float, width: float) -> Iterator[str]:
    """What is made from the left, what failed from the right."""
    made, failed, left = width * (gauge.made or 0), width * gauge.failed, centre - width / 2
    shares = ((left, width, MISSING), (left, made, MADE), (left + width - failed, failed, FAILED))
    for start, length, colour in shares:
        if length:
            sizes = f'width="{_n(length)}" height="{_n(_BAR)}"'
            yield f'<rect x="{_n(start)}" y="{_n(top)}" {sizes} fill="{colour}"/>'


def _n(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))
