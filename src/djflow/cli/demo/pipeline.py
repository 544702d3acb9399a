"""Blobs in two photographs: galaxies in the Hubble deep field, nuclei under a microscope.

Images are imported once into Zarr arrays, searched with several sets of parameters,
and the detections that a person trusts are listed by hand.
"""

# A class of tables stands for all its rows (`Photo.insert`), which type checkers take for a missing self.
# mypy: disable-error-code="call-arg, arg-type, no-untyped-call"

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import mahotas.demos
import numpy as np
import skimage.data
from skimage.color import rgb2gray
from skimage.feature import blob_dog, blob_log
from skimage.transform import downscale_local_mean

import djflow as dj

schema: dj.Schema = dj.Schema("djflow_demo")

READERS: Mapping[str, Callable[[], np.ndarray[Any, Any]]] = {
    "hubble": skimage.data.hubble_deep_field,
    "nuclei": mahotas.demos.nuclear_image,
}
FINDERS: Mapping[str, Callable[..., np.ndarray[Any, Any]]] = {"log": blob_log, "dog": blob_dog}


@schema
class Photo(dj.Manual):
    """What was photographed, and how it is to be read."""

    definition = """
    # Photographs to analyse
    photo : varchar(16)
    ---
    subject : varchar(80)   # what it shows
    package : varchar(40)   # where the file comes from
    binning : int16         # pixels averaged along each axis
    white : float32         # percentile of brightness shown as white
    """


@schema
class Image(dj.Imported):
    """The photograph as an array, grey and between 0 and 1."""

    definition = """
    # Grey images
    -> Photo
    ---
    height : int32       # pixels
    width : int32        # pixels
    pixels : <zarr@>     # float32, from 0 (black) to 1 (white)
    """

    def make(self, key: dict[str, Any]) -> None:
        """Read, average and stretch one photograph."""
        binning, white = (Photo & key).fetch1("binning", "white")
        grey = downscale_local_mean(rgb2gray(READERS[key["photo"]]()), (binning, binning))
        low, high = np.percentile(grey, (1, white))
        pixels = np.clip((grey - low) / (high - low), 0, 1).astype(np.float32)
        height, width = pixels.shape
        self.insert1({**key, "height": height, "width": width, "pixels": pixels})


@schema
class Detector(dj.Lookup):
    """Ways to look for blobs."""

    definition = """
    # Parameters of detection
    detector : varchar(16)
    ---
    method : enum('log', 'dog')   # Laplacian, or difference, of Gaussians
    min_sigma : float32           # pixels
    max_sigma : float32           # pixels
    threshold : float32           # least contrast
    """
    contents: ClassVar[list[tuple[str, str, float, float, float]]] = [
        ("points", "log", 1.5, 8.0, 0.2),
        ("discs", "log", 7.0, 18.0, 0.1),
        ("quick", "dog", 4.0, 14.0, 0.1),
    ]


@schema
class Detection(dj.Computed):
    """Every image searched with every detector."""

    definition = """
    # Blobs found in an image
    -> Image
    -> Detector
    ---
    blobs : int32   # how many
    """

    class Blob(dj.Part):
        """One bright spot."""

        definition = """
        -> master
        blob : int32
        ---
        x : float32            # pixels from the left
        y : float32            # pixels from the top
        radius : float32       # pixels
        brightness : float32   # of the pixel at its centre
        """

    def make(self, key: dict[str, Any]) -> None:
        """Search one image with one detector."""
        pixels = np.asarray((Image & key).fetch1("pixels"))
        method, low, high, threshold = (Detector & key).fetch1(
            "method", "min_sigma", "max_sigma", "threshold"
        )
        found = FINDERS[method](pixels, min_sigma=low, max_sigma=high, threshold=threshold)
        self.insert1({**key, "blobs": len(found)})
        self.Blob.insert(
            {
                **key,
                "blob": number,
                "x": x,
                "y": y,
                "radius": sigma * np.sqrt(2),
                "brightness": pixels[int(y), int(x)],
            }
            for number, (y, x, sigma) in enumerate(found)
        )


@schema
class Choice(dj.Manual):
    """The detections that a person looked at and trusts."""

    definition = """
    # Detections chosen for analysis
    -> Detection
    """


def enter_photos() -> None:
    """List the photographs; those known already stay as they are."""
    Photo.insert(
        [
            ("hubble", "galaxies of the Hubble deep field", "scikit-image", 1, 99.8),
            ("nuclei", "cell nuclei, fluorescence", "mahotas", 2, 99.0),
        ],
        skip_duplicates=True,
    )


def choose() -> None:
    """Insert the trusted detections by a query: nothing travels from the server and back."""
    trusted = [{"photo": "hubble", "detector": "points"}, {"photo": "nuclei", "detector": "discs"}]
    Choice.insert((Detection & trusted).proj(), skip_duplicates=True)


def summary() -> dj.Relation:
    """One row an image and detector: how many blobs, how large, how bright."""
    counted = Detection.aggr(
        Detection.Blob,
        blobs="count(blob)",
        radius="avg(radius)",
        largest="max(radius)",
        brightness="avg(brightness)",
    )
    return counted * Detector.proj("method")
