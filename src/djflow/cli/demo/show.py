"""Runs the demo's pipeline and tells what happens."""

from pathlib import Path
from typing import Final

import polars as pl

import djflow as dj
from djflow.cli.demo import pipeline
from djflow.cli.demo.figure import draw_choices
from djflow.pipeline.tiers import AutoPopulated

NEXT: Final = """\
Next, in Python:

    import djflow as dj
    from djflow.cli.demo.pipeline import Choice, Detection, Image, summary

    Detection.Blob & Choice & "radius > 20"              # a query shows its first rows
    summary().to_polars()                                # or pandas, Arrow, dicts, numpy arrays
    (Detection.Blob & "brightness > 0.9").explain()      # how it is answered
    (Image & {"photo": "hubble"}).fetch1("pixels")       # a lazy Zarr array

Add a row to Detector and run the demo again: only the new row is computed.
The pipeline is written in
%s"""


def show_demo(output: Path) -> None:
    """Run the pipeline, print what it holds, and draw the chosen blobs in the folder `output`."""
    print(f"Database: {_server()}, schema {pipeline.schema.database}\n")
    print(dj.Diagram(pipeline.schema))
    pipeline.enter_photos()
    print()
    for table in (pipeline.Image(), pipeline.Detection()):
        populate(table)
    pipeline.choose()
    print("\nBlobs by image and detector, chosen detections marked:\n")
    print(as_text(summary_frame()))
    print(f"\nFigure: {draw_choices(output)}\n")
    print(NEXT % pipeline.__file__)


def populate(table: AutoPopulated) -> None:
    """Compute what is missing, with a progress bar, and say how much it was."""
    name = type(table).__name__
    remaining, total = table.progress()
    if not remaining:
        print(f"{name}: all {total} rows are there, nothing to compute.")
        return
    counts = table.populate(display_progress=True)
    print(f"{name}: computed {counts['success']} of {total} rows.")


def summary_frame() -> pl.DataFrame:
    """The summary, with a column that marks the chosen detections."""
    chosen = pipeline.Choice().to_polars().with_columns(chosen=pl.lit("yes"))
    frame = pipeline.summary().to_polars()
    joined = frame.join(chosen, on=["photo", "detector"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("chosen").fill_null(""))


def as_text(frame: pl.DataFrame) -> str:
    """A whole frame as text."""
    with pl.Config(
        tbl_rows=-1, tbl_cols=-1, tbl_width_chars=110, tbl_hide_dataframe_shape=True, float_precision=2
    ):
        return str(frame)


def _server() -> str:
    session = dj.conn().session
    return session.settings.database.describe() if session.is_remote else "embedded PostgreSQL"
