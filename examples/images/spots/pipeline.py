"""The tables: photographs, images, ways to segment, regions, and what a person chose."""

import numpy as np
import polars as pl
from skimage.transform import downscale_local_mean

import djflow as dj

from .photographs import READERS
from .segment import measure, segment

schema = dj.Schema("example_images")


@schema
class Photo(dj.Lookup):
    definition = """
    # Photographs to analyse
    photo : varchar(16)
    ---
    subject : varchar(80)   # what it shows
    package : varchar(40)   # where the file comes from
    binning : int16         # pixels averaged along each axis
    white : float32         # percentile of brightness from which on all is white
    """
    contents = [
        ("hubble", "galaxies in the Hubble deep field", "scikit-image", 1, 99.8),
        ("nuclei", "nuclei of cultured cells", "mahotas", 2, 97.0),
        ("tissue", "nuclei in a section of colon", "scikit-image", 1, 99.8),
    ]


@schema
class Image(dj.Imported):
    definition = """
    # Grey images, objects brighter than their background
    -> Photo
    ---
    height : int32          # pixels
    width : int32           # pixels
    pixels : <zarr@>        # float32, from 0 (background) to 1 (white)
    """

    def make(self, key):
        binning, white = (Photo & key).fetch1("binning", "white")
        grey = downscale_local_mean(READERS[key["photo"]](), (binning, binning))
        low, high = np.percentile(grey, (1, white))
        pixels = np.clip((grey - low) / (high - low), 0, 1).astype(np.float32)
        height, width = pixels.shape
        self.insert1({**key, "height": height, "width": width, "pixels": pixels})


@schema
class Segmenter(dj.Lookup):
    definition = """
    # Parameters of segmentation
    segmenter : varchar(16)
    ---
    background : int16      # pixels; what is wider counts as background
    smoothing : float32     # pixels; standard deviation of a Gaussian
    threshold : float32     # of the contrast that Otsu's method finds
    distance : int16        # pixels; least between the centres of two regions
    least : int32           # pixels; smaller regions are left out
    """
    contents = [
        ("points", 25, 0.8, 0.8, 3, 6),
        ("discs", 121, 2.0, 0.9, 8, 80),
        ("specks", 61, 1.5, 0.8, 4, 30),
    ]


@schema
class Segmentation(dj.Computed):
    definition = """
    # Each image segmented in each way
    -> Image
    -> Segmenter
    ---
    covered : float64       # fraction of the image
    labels : <npy@>         # int32; 0 is background, n is region n
    """

    class Region(dj.Part):
        definition = """
        # What was found, measured
        -> master
        region : int32
        ---
        x : float32             # pixels from the left
        y : float32             # pixels from the top
        area : int32            # pixels
        brightness : float32    # mean of its pixels
        eccentricity : float32  # 0 is a circle, 1 a line
        """

    def make(self, key):
        pixels = np.asarray((Image & key).fetch1("pixels"))
        labels = segment(pixels, (Segmenter & key).fetch1())
        self.insert1({**key, "covered": np.mean(labels > 0), "labels": labels})
        same = {name: pl.lit(value) for name, value in key.items()}
        self.Region.insert(measure(labels, pixels).with_columns(**same))


@schema
class Choice(dj.Manual):
    definition = """
    # The segmentation of each image that a person trusts
    -> Image
    ---
    -> Segmentation
    """


def summary():
    """One row an image and segmenter: how many regions, and their averages."""
    return Segmentation.aggr(
        Segmentation.Region,
        "covered",
        regions="count(region)",
        area="avg(area)",
        brightness="avg(brightness)",
        eccentricity="avg(eccentricity)",
    )
