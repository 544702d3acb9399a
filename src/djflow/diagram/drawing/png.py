"""SVG as PNG."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from djflow.diagram.drawing.notation import FONT
from djflow.diagram.drawing.svg import Svg, size_of
from djflow.errors import DrawingError

_SHARPNESS: Final = 2.0  # pixels a point
_MOST_PIXELS: Final = 24_000_000
_FAMILIES: Final = (
    "DejaVu Sans",
    "Liberation Sans",
    "Noto Sans",
    "Open Sans",
    "Roboto",
    "Segoe UI",
    "Verdana",
)
_PROBE: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8">'
    f'<text y="8" font-family="{FONT}">{{}}</text></svg>'
)


def png(picture: Svg) -> bytes:
    """The picture in pixels, two a point, or fewer where they would be too many.

    Raises `DrawingError` where there is no font.
    """
    width, height = size_of(picture)
    zoom = min(_SHARPNESS, (_MOST_PIXELS / (width * height)) ** 0.5)
    return _drawn(picture, _fonts(), zoom)


class _Fonts(NamedTuple):
    """Folders beside those of the system, and the family to take where the system has no idea of its own."""

    folders: tuple[str, ...] = ()
    family: str | None = None


@cache
def _fonts() -> _Fonts:
    for fonts in _candidates():
        if _drawn(_PROBE.format("M"), fonts) != _drawn(_PROBE.format(""), fonts):
            return fonts
    raise DrawingError("No font was found on this machine, and a PNG without letters tells nothing.").suggest(
        "Install a font of the system's, such as DejaVu Sans, or pip install matplotlib, which brings it.",
        "SVG needs none here: save('diagram.svg').",
    )


def _candidates() -> Iterator[_Fonts]:
    yield _Fonts()
    yield from (_Fonts(family=family) for family in _FAMILIES)
    spec = find_spec("matplotlib")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
        yield _Fonts((str(folder),), "DejaVu Sans")


def _drawn(svg: str, fonts: _Fonts, zoom: float = 1) -> bytes:
    from resvg_py import svg_to_bytes

    return bytes(
        svg_to_bytes(svg_string=svg, zoom=zoom, font_dirs=list(fonts.folders), sans_serif_family=fonts.family)
    )
