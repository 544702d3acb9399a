"""The picture at the end of the demo."""

import logging
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from djflow.cli.demo.pipeline import Choice, Detection, Image, Photo

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NAME: Final = "blobs.png"
_INCHES: Final = (15, 6.6)
_BACKGROUND, _TEXT = "#101218", "#e8e8ee"


def draw_choices(folder: Path) -> Path:
    """Draw the blobs of the chosen detections on their images; the path of the PNG file."""
    _quieten()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_INCHES, layout="constrained", facecolor=_BACKGROUND)
    FigureCanvasAgg(figure)
    shapes = (Image * Choice).proj("width", "height").to_dicts()
    # Panels of one height, whatever the shapes of the images.
    ratios = [shape["width"] / shape["height"] for shape in shapes]
    panels = np.atleast_1d(figure.subplots(1, len(shapes), width_ratios=ratios))
    for axes, shape in zip(panels, shapes, strict=True):
        _draw(axes, shape)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _NAME
    figure.savefig(path, dpi=110)
    return path


def _draw(axes: "Axes", key: dict[str, Any]) -> None:
    from matplotlib.collections import EllipseCollection

    blobs = (Detection.Blob & key).to_polars()
    axes.imshow(np.asarray((Image & key).fetch1("pixels")), cmap="gray")
    diameters = 2 * blobs["radius"].to_numpy()
    circles = EllipseCollection(
        diameters,
        diameters,
        np.zeros(len(diameters)),
        units="xy",
        offsets=blobs.select("x", "y").to_numpy(),
        offset_transform=axes.transData,
        facecolors="none",
        cmap="plasma",
        linewidths=0.9,
    )
    circles.set_array(blobs["brightness"].to_numpy())
    circles.set_clim(0, 1.05)
    axes.add_collection(circles)
    subject = (Photo & key).fetch1("subject")
    axes.set_title(f"{len(blobs)} {subject}", color=_TEXT, fontsize=13)
    axes.set_axis_off()


def _quieten() -> None:
    """Give matplotlib a folder for its caches where the user's own cannot be written."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if "MPLCONFIGDIR" not in os.environ and not _is_writable(Path.home() / ".config"):
        os.environ["MPLCONFIGDIR"] = tempfile.mkdtemp(prefix="djflow-matplotlib-")


def _is_writable(folder: Path) -> bool:
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(existing, os.W_OK)
