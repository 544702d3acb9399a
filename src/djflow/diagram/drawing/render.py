"""A drawing becomes a picture: laid out by Graphviz, then written as SVG."""

from html import escape
from typing import Final

from djflow.diagram.drawing.dot import dot
from djflow.diagram.drawing.graphviz import placed
from djflow.diagram.drawing.layout import read_layout
from djflow.diagram.drawing.model import Drawing
from djflow.diagram.drawing.svg import Svg, size_of, svg

_PAGE: Final = 1000  # points; what is wider would be unreadable if it was shrunk to a page


def rendered(drawing: Drawing) -> Svg:
    """The picture of a drawing. Raises `DrawingError` where Graphviz cannot be run."""
    return svg(drawing, read_layout(drawing, placed(dot(drawing))), _title(drawing))


def _title(drawing: Drawing) -> str:
    names, number = [group.title for group in drawing.groups], len(drawing.nodes)
    return f"Diagram of {', '.join(names) or 'no tables'}: {number} node{'' if number == 1 else 's'}"


def as_html(picture: Svg) -> str:
    """As part of a page, where it scrolls if it is too wide.

    Notebooks that have a picture as SVG alone show it as an image, which does not react to the pointer.
    """
    width, _ = size_of(picture)
    shown = picture.replace("max-width: 100%; ", "", 1) if width > _PAGE else picture
    return f'<div style="overflow: auto; max-height: 90vh">\n{shown}</div>'


def as_text(text: str) -> str:
    """Text as HTML, where there is no picture."""
    return f"<pre>{escape(text)}</pre>"
