"""Spots and nuclei in photographs: import, segmentation with several parameters, measurements, a figure."""
