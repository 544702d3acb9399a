"""What can be typed after `djflow`, and how its errors look."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from djflow import __version__
from djflow.cli import populating
from djflow.errors import DjflowError

# What the shell reports for a program ended by Ctrl-C.
_INTERRUPTED: Final = 130

Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line, by default the program's own, and return its exit code.

    A `DjflowError` becomes its message and advice on stderr and the exit code 1; `--debug` raises it.

    >>> main(["db", "--hlep"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    options = build_parser().parse_args(arguments)
    command: Command = options.command
    try:
        command(options)
    except DjflowError as error:
        if options.debug:
            raise
        print(error_text(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return _INTERRUPTED
    return 0


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
        prog="djflow", description="A dataflow engine for science on PostgreSQL, with Arrow results."
    )
    parser.add_argument("--version", action="version", version=f"djflow {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_demo(commands)
    _add_db(commands)
    populating.add_commands(commands)
    return parser


def _add_demo(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    demo = commands.add_parser(
        "demo",
        help="run a small image pipeline and draw what it found",
        description="Detect stars, galaxies and cell nuclei in two real images. "
        "The tables stay in the schema djflow_demo; a second run finds nothing left to compute.",
    )
    demo.add_argument(
        "--output",
        type=Path,
        default=Path("demo-output"),
        metavar="DIR",
        help="folder for the figure (default: ./demo-output)",
    )
    demo.set_defaults(command=_demo)


def _add_db(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    db = commands.add_parser(
        "db",
        help="look at, stop or reach the embedded PostgreSQL server",
        description="The embedded server starts when it is needed and stops when its last user ends.",
    )
    actions = db.add_subparsers(required=True, metavar="ACTION")
    for name, run, text in (
        ("status", _status, "tell whether the server runs, and where its files are"),
        ("stop", _stop, "stop the server now, whoever uses it"),
        ("url", _url, "start the server if needed and print its connection URL, without a password"),
        ("run", _run, "keep the server running for other programs, until Ctrl-C"),
    ):
        actions.add_parser(name, help=text, description=text.capitalize() + ".").set_defaults(command=run)


def _demo(options: argparse.Namespace) -> None:
    from djflow.cli.demo import run_demo

    run_demo(options.output)


def _status(_options: argparse.Namespace) -> None:
    from djflow.cli import db

    db.print_status()


def _stop(_options: argparse.Namespace) -> None:
    from djflow.cli import db

    db.stop()


def _url(_options: argparse.Namespace) -> None:
    from djflow.cli import db

    db.print_url()


def _run(_options: argparse.Namespace) -> None:
    from djflow.cli import db

    db.keep_running()
