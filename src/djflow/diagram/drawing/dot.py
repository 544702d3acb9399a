"""A drawing in Graphviz's language."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final

from djflow.diagram.drawing.arrange import Arrangement, Fence, arrange
from djflow.diagram.drawing.model import Drawing, Gauge, Group, Line, Node
from djflow.diagram.drawing.notation import (
    BACKGROUND,
    FONT,
    FRAME,
    LINE,
    NOTE_SIZE,
    RENAMED,
    TITLE,
    TITLE_SIZE,
    look,
)

_POINTS: Final = 72  # an inch


def dot(drawing: Drawing) -> str:
    """The drawing as a directed graph: what `dot` reads.

    >>> from djflow.model.names import Tier
    >>> nodes = (Node("lab.image", "Image", Tier.MANUAL, 54, 24, is_underlined=True),)
    >>> text = dot(Drawing((Group("lab", "lab", nodes),)))
    >>> print(text[text.index('    "lab.image"') : text.index(", shape")])
        "lab.image" [label=<<u>Image</u>>
    """
    arrangement = arrange(drawing)
    lines = [_line(line, arrangement) for line in drawing.lines]
    chains = [f"  {_text(a)} -> {_text(b)} [style=invis];" for a, b in arrangement.stacked]
    groups = [text for number, group in enumerate(drawing.groups) for text in _group(number, group)]
    fences = [text for number, fence in enumerate(arrangement.fences) for text in _fence(number, fence)]
    defaults = _defaults(drawing.direction, has_fences=bool(fences))
    return "\n".join(["digraph {", *defaults, *groups, *fences, *lines, *chains, "}"]) + "\n"


def _defaults(direction: str, *, has_fences: bool) -> list[str]:
    apart = {"nodesep": "0.15", "ranksep": "0.45" if direction == "LR" else "0.35"}
    graph = {"rankdir": direction, "bgcolor": _text(BACKGROUND), **apart}
    ranks = {"newrank": "true"} if has_fences else {}  # of all groups together
    fonts = {"fontname": _text(FONT)}
    edge = {"arrowhead": "none", "color": _text(LINE), "penwidth": "0.75"}
    return [
        f"  graph {_list({**graph, **ranks, **fonts})};",
        f"  node {_list(fonts)};",
        f"  edge {_list(edge)};",
    ]


def _group(number: int, group: Group) -> Iterator[str]:
    frame = {
        "label": _text(group.title),
        "labeljust": "l",
        "color": _text(FRAME),
        "style": "dashed",
        "fontsize": f"{TITLE_SIZE:g}",
        "fontcolor": _text(TITLE),
        "margin": "10",
    }
    if all(node.tier is None for node in group.nodes):
        yield from (f"  {_node(node)}" for node in group.nodes)
        return
    yield f"  subgraph cluster_{number} {{"
    yield f"    graph {_list(frame)};"
    yield from (f"    {_node(node)}" for node in group.nodes)
    yield "  }"


def _node(node: Node) -> str:
    seen = look(node.tier)
    attributes = {
        "label": _label(node),
        "shape": seen.shape,
        "style": "filled" if seen.fill else None,
        "fillcolor": seen.fill and _text(seen.fill),
        "color": _text(seen.stroke) if seen.stroke else None,
        "fontcolor": _text(seen.ink),
        "fontsize": f"{seen.size:g}",
        "width": f"{node.width / _POINTS:.3f}",
        "height": f"{node.height / _POINTS:.3f}",
        "fixedsize": "true",
        "tooltip": _text(node.tooltip),
    }
    return f"{_text(node.name)} {_list(attributes)};"


def _fence(number: int, fence: Fence) -> Iterator[str]:
    post, hidden = _text(f"~fence {number}"), "[style=invis, weight=0]"
    yield f'  {post} [style=invis, label="", width=0, height=0, fixedsize=true];'
    yield from (f"  {_text(name)} -> {post} {hidden};" for name in fence.before)
    yield from (f"  {post} -> {_text(name)} {hidden};" for name in fence.behind)


def _label(node: Node) -> str:
    if not node.is_underlined and node.gauge is None:
        return _text(node.label)
    name = _html(node.label)
    return f"<{f'<u>{name}</u>' if node.is_underlined else name}{_notes(node.gauge)}>"


def _notes(gauge: Gauge | None) -> str:
    words = () if gauge is None else gauge.words
    return "".join(f'<br/><font point-size="{NOTE_SIZE:g}">{_html(line)}</font>' for line in words)


def _line(line: Line, arrangement: Arrangement) -> str:
    length = arrangement.lengths.get((line.parent, line.child), 1)
    attributes = {
        "style": "dashed" if line.is_dashed else None,
        "penwidth": "2" if line.is_thick else None,
        "color": _text(RENAMED) if line.is_renamed else None,
        "minlen": f"{length}" if length != 1 else None,
        "weight": "0" if length == 0 else None,
        "tooltip": _text(line.tooltip),
    }
    return f"  {_text(line.parent)} -> {_text(line.child)} {_list(attributes)};"


def _list(attributes: Mapping[str, str | None]) -> str:
    given = ((name, value) for name, value in attributes.items() if value is not None)
    return f"[{', '.join(f'{name}={value}' for name, value in given)}]"


def _text(text: str) -> str:
    """A quoted text; what Graphviz would take for an escape means itself."""
    escaped = text.replace("\0", "").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\r", "").replace("\n", "\\n") + '"'


def _html(text: str) -> str:
    return escape(text.replace("\0", ""))
