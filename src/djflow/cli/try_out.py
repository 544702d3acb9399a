"""`djflow demo`: the first thing that one tries."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from djflow.cli.arguments import add_command

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    demo = add_command(
        commands,
        "demo",
        _demo,
        "run a small image pipeline and draw what it found",
        "It detects stars, galaxies and cell nuclei in two real images. "
        "The tables stay in the schema djflow_demo; a second run finds nothing left to compute.",
    )
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="folder for the figure (default: ./demo-output)",
    )


def _demo(options: argparse.Namespace) -> None:
    from djflow.cli.demo import run_demo

    run_demo(options.output)
