"""Rows from Dask: frames whose partitions, and pieces which, are computed while others are written."""
