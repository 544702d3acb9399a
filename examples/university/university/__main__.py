"""`python -m university`: each question with its Python, its SQL and the first rows of its answer."""

import argparse
from inspect import getsource

import polars as pl

from .invented import fill
from .tour import TOUR


def main():
    parser = argparse.ArgumentParser(prog="python -m university", description="A tour of the algebra.")
    parser.add_argument("question", nargs="*", help="names of questions (default: all of them)")
    parser.add_argument("--explain", action="store_true", help="show how the query is planned")
    options = parser.parse_args()

    fill()
    for question in TOUR:
        if not options.question or question.__name__ in options.question:
            show(question, explain=options.explain)


def show(question, *, explain):
    """Print a question, its answer, and how the answer is found."""
    query = question()
    print("=" * 100, getsource(question), "-- SQL", query.make_sql(), "", sep="\n")
    rows = query.to_polars()
    with pl.Config(tbl_rows=6, tbl_hide_dataframe_shape=True):
        print(f"-- {len(rows)} rows", rows, "", sep="\n")
    if explain:
        print(query.explain())


if __name__ == "__main__":
    main()
