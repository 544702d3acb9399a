"""`python -m spots`: fill the tables, choose, print a summary, draw a figure."""

import argparse

import polars as pl

import djflow as dj

from .figure import draw
from .pipeline import Choice, Photo, Segmentation, schema, summary

TRUSTED = {"hubble": "points", "nuclei": "discs", "tissue": "specks"}


def main():
    parser = argparse.ArgumentParser(prog="python -m spots", description="Spots and nuclei in photographs.")
    parser.add_argument("--photo", action="append", help="only this photograph; may be given several times")
    parser.add_argument("--figure", default="spots.png", help="where the figure goes (default: %(default)s)")
    options = parser.parse_args()

    schema.create()
    wanted = {"photo": options.photo or list(TRUSTED)}
    print(dj.Diagram(schema))
    print(schema.populate(wanted).select("table", "made", "failed", "rows"))

    trusted = [{"photo": photo, "segmenter": segmenter} for photo, segmenter in TRUSTED.items()]
    Choice.insert((Segmentation & trusted & wanted).proj(), skip_duplicates=True)
    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, float_precision=2):
        print(summary().to_polars())

    draw(options.figure)
    print(f"{len(Choice())} of {len(Photo())} photographs drawn in {options.figure}")


if __name__ == "__main__":
    main()
