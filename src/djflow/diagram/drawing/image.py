"""PNG as an array of pixels, and on the screen, by matplotlib."""

from io import BytesIO
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import DrawingError

if TYPE_CHECKING:
    import numpy as np

_DOTS: Final = 144  # an inch: two a point


def pixels(png: bytes) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Rows of pixels, each red, green, blue and alpha from 0 to 1.

    Raises `DrawingError` where matplotlib is missing.
    """
    found: np.ndarray[Any, np.dtype[np.float32]] = _plots().imread(BytesIO(png), format="png")
    return found


def show(png: bytes) -> None:
    """Have matplotlib show a picture in its size. Raises `DrawingError` where matplotlib is missing."""
    image, plots = pixels(png), _plots()
    height, width, *_ = image.shape
    figure = plots.figure(figsize=(width / _DOTS, height / _DOTS), dpi=_DOTS)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.imshow(image, interpolation="bilinear")
    plots.show()


def _plots() -> ModuleType:
    try:
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise DrawingError("matplotlib, which shows and reads images, is not installed.").suggest(
            "pip install matplotlib",
            "make_svg(), make_png() and save('diagram.svg') do without it.",
        ) from error
    return plt
