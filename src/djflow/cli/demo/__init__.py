"""`djflow demo`: a real pipeline on real images.

`pipeline` is what a user would write; `show` runs it and tells about it.
"""

import sys
from pathlib import Path

from djflow.cli.demo.extra import install, missing_requirements


def run_demo(output: Path) -> None:
    """Install what the demo needs, run its pipeline and draw its figure in the folder `output`.

    Raises `MissingExtraError` where something cannot be installed.
    """
    if missing := missing_requirements("demo"):
        print(f"The demo needs {', '.join(missing)}: installing with pip.", file=sys.stderr)
        install("demo")
    # Only now: it imports what was just installed.
    from djflow.cli.demo.show import show_demo

    show_demo(output)
