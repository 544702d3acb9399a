"""`python -m maze`: invent an experiment, and run the pipeline on it."""

import argparse

import polars as pl

import djflow as dj

from . import animal, behavior, session
from .invented import fill
from .pipeline import learning


def main():
    parser = argparse.ArgumentParser(prog="python -m maze", description="Mice in a maze.")
    parser.add_argument("--executor", default="serial", help="serial, threads, processes, or dask")
    parser.add_argument("--workers", type=int, help="how many threads or processes (default: one a core)")
    options = parser.parse_args()

    print(dj.Diagram(animal) + dj.Diagram(session) + dj.Diagram(behavior))
    fill()
    schemas = animal.schema, session.schema, behavior.schema
    made = dj.populate(*schemas, executor=options.executor, workers=options.workers)
    print(made.select("table", "made", "failed", "rows"))
    with pl.Config(tbl_hide_dataframe_shape=True):
        print(learning().to_polars())


if __name__ == "__main__":
    main()
