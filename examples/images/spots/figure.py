"""The picture of the chosen segmentations."""

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from skimage.segmentation import find_boundaries

from .pipeline import Choice, Image, Photo, Segmentation

DARK, LIGHT, LINE = "#101218", "#e8e8ee", "#ffb347"


def draw(path):
    """Draw each image with the outlines of its regions, and below it how large they are."""
    chosen = Photo * Image * Choice
    images = chosen.proj("subject", "segmenter", "width", "height").to_dicts()
    figure = Figure(figsize=(18, 7.4), layout="constrained", facecolor=DARK)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    ratios = [image["width"] / image["height"] for image in images]  # panels of one height
    panels = figure.subplots(2, len(images), height_ratios=(4, 1), width_ratios=ratios, squeeze=False)
    for image, (above, below) in zip(images, panels.T, strict=True):
        regions = (Segmentation.Region & image).to_polars()
        draw_regions(above, image)
        above.set_title(f"{len(regions)} {image['subject']}", color=LIGHT, fontsize=13)
        draw_areas(below, regions["area"])
    figure.savefig(path, dpi=110)


def draw_regions(axes, image):
    pixels = np.asarray((Image & image).fetch1("pixels"))
    labels = np.asarray((Segmentation & image).fetch1("labels"))
    edges = find_boundaries(labels, mode="outer")
    axes.imshow(pixels, cmap="gray")
    axes.imshow(np.ma.masked_where(~edges, edges), cmap=ListedColormap([LINE]), interpolation="nearest")
    axes.set_axis_off()


def draw_areas(axes, areas):
    axes.hist(areas, bins=np.geomspace(5, 5000, 40), color=LINE)
    axes.set_xscale("log")
    axes.set_xticks([10, 100, 1000], ["10", "100", "1000"])
    axes.set_xlabel("area (pixels)", color=LIGHT)
    axes.set_ylabel("regions", color=LIGHT)
    axes.set_facecolor(DARK)
    axes.tick_params(colors=LIGHT, which="both")
    axes.spines[:].set_visible(False)
