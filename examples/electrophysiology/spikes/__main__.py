"""`python -m spikes`: fill the tables, print summaries, draw a figure."""

import argparse

import polars as pl

import djflow as dj

from .figure import draw
from .pipeline import Rate, Recording, schema, summary, tuning
from .recordings import is_installed

RECORDINGS = [
    {"recording": "heart", "subject": "a human heart", "filter": "beats"},
    {"recording": "muscle", "subject": "a human thigh muscle", "filter": "muscle fibres"},
]


def main():
    parser = argparse.ArgumentParser(prog="python -m spikes", description="Spikes in real recordings.")
    parser.add_argument("--executor", default="serial", help="serial, threads, processes, or dask")
    parser.add_argument("--workers", type=int, help="how many threads or processes (default: one a core)")
    parser.add_argument("--detector", default="low", help="whose spikes are drawn (default: %(default)s)")
    parser.add_argument("--figure", default="spikes.png", help="where the figure goes (default: %(default)s)")
    options = parser.parse_args()

    schema.create()
    found = [row for row in RECORDINGS if is_installed(row["recording"])]
    Recording.insert(found, skip_duplicates=True)
    made = dj.populate(Rate, executor=options.executor, workers=options.workers)
    print(made.select("table", "made", "failed", "rows"))

    with pl.Config(tbl_rows=-1, tbl_hide_dataframe_shape=True, float_precision=2):
        print(summary().to_polars())
        if levels := tuning() & {"detector": options.detector}:
            print(levels.to_polars())
    draw(options.figure, options.detector)
    print(f"Drawn in {options.figure}")


if __name__ == "__main__":
    main()
