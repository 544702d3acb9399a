"""Image processing, without tables."""

import numpy as np
import polars as pl
from scipy.ndimage import distance_transform_edt, gaussian_filter, uniform_filter
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import regionprops_table
from skimage.morphology import remove_small_objects
from skimage.segmentation import relabel_sequential, watershed


def segment(pixels, how):
    """Labels of bright regions: 0 is background, n is region n.

    What is brighter than its surroundings is foreground; a watershed parts regions that touch.
    `how` is a row of `Segmenter`.
    """
    smooth = gaussian_filter(pixels, how["smoothing"])
    contrast = smooth - uniform_filter(smooth, how["background"])
    foreground = contrast > how["threshold"] * threshold_otsu(contrast)
    depth = gaussian_filter(distance_transform_edt(foreground), how["smoothing"])
    inside = foreground.astype(int)
    peaks = peak_local_max(depth, min_distance=how["distance"], labels=inside, exclude_border=False)
    seeds = np.zeros(pixels.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    regions = watershed(-depth, seeds, mask=foreground)
    kept = remove_small_objects(regions, max_size=how["least"])
    return relabel_sequential(kept)[0].astype(np.int32)


def measure(labels, pixels):
    """A frame with a row a region: where it is, how large, how bright, how round."""
    measured = regionprops_table(
        labels, pixels, properties=("label", "centroid", "area", "mean_intensity", "eccentricity")
    )
    return pl.DataFrame(measured).select(
        region="label",
        x="centroid-1",
        y="centroid-0",
        area=pl.col("area").cast(pl.Int32),
        brightness="mean_intensity",
        eccentricity="eccentricity",
    )
