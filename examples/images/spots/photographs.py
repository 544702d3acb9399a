"""Photographs that come with Python packages, as arrays in which the objects are bright."""

import mahotas.demos
import skimage.data
from skimage.color import rgb2gray, rgb2hed


def hubble():
    """Galaxies and stars: the Hubble deep field, from scikit-image."""
    return rgb2gray(skimage.data.hubble_deep_field())


def nuclei():
    """Nuclei of cultured cells under a fluorescence microscope, from mahotas."""
    return rgb2gray(mahotas.demos.nuclear_image())


def tissue():
    """Nuclei in a section of colon: the blue stain (haematoxylin) of a photograph from scikit-image."""
    return rgb2hed(skimage.data.immunohistochemistry())[..., 0]


READERS = {"hubble": hubble, "nuclei": nuclei, "tissue": tissue}
