"""What can be typed after `djflow`, and how its errors look."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Final

from djflow import __version__
from djflow.cli import (
    collection,
    completion,
    db,
    doctor,
    jobs,
    populating,
    project,
    query,
    schemas,
    shell,
    showing,
    status,
    try_out,
)
from djflow.cli.arguments import Command, examples_text
from djflow.errors import DjflowError

# What shells report for a program ended by Ctrl-C, and for one whose reader has gone.
_INTERRUPTED: Final = 130
_PIPE_CLOSED: Final = 141
_FAMILIES: Final = (
    try_out,
    project,
    db,
    schemas,
    query,
    populating,
    jobs,
    status,
    collection,
    doctor,
    showing,
    shell,
    completion,
)
_EXAMPLES: Final = (
    "djflow demo",
    "djflow init my_lab",
    "djflow schema describe my_lab",
    "djflow query \"Session & 'duration > 60'\" --to csv",
    "djflow populate my_lab --executor dask --watch",
    "djflow doctor",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default the program's own, and return its exit code.

    A `DjflowError` becomes its message and advice on stderr and the exit code 1; `--debug` raises it.
    The code is 130 after Ctrl-C, and 141 where nobody reads the output to its end.

    >>> main(["db", "--hlep"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    options = build_parser().parse_args(arguments)
    command: Command = options.command
    try:
        code = command(options) or 0
        sys.stdout.flush()
    except DjflowError as error:
        if options.debug:
            raise
        print(error_text(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its end, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return code


def error_text(error: DjflowError) -> str:
    """The message of an error, and below it the advice attached to it.

    >>> print(error_text(DjflowError("It broke.").suggest("Mend it.")))
    djflow: It broke.
      Mend it.
    """
    advice = [f"  {note}" for note in getattr(error, "__notes__", ())]
    return "\n".join([f"djflow: {error}", *advice])


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each stores the function that runs it as `command`."""
    parser = argparse.ArgumentParser(
        prog="djflow",
        description="A dataflow engine for science on PostgreSQL, with Arrow results.",
        epilog=examples_text(_EXAMPLES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"djflow {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for family in _FAMILIES:
        family.add_commands(commands)
    return parser
