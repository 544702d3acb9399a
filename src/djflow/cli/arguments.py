"""What the parsers of all commands share."""

import argparse
import textwrap
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - it has no other name

Command: TypeAlias = Callable[[argparse.Namespace], int | None]

_WIDTH: Final = 88


def add_command(
    commands: "Commands", name: str, run: Command, text: str, details: str = "", examples: Sequence[str] = ()
) -> argparse.ArgumentParser:
    """Add a command: `text` tells in a phrase what it does, `details` in sentences; `run` does it.

    What `run` returns is the exit code, None for 0.
    """
    parser = _added(commands, name, text, details, examples)
    parser.set_defaults(command=run)
    return parser


def add_family(
    commands: "Commands", name: str, text: str, details: str = "", examples: Sequence[str] = ()
) -> "Commands":
    """Add a command that has commands of its own."""
    parser = _added(commands, name, text, details, examples)
    return parser.add_subparsers(required=True, metavar="ACTION")


def _added(
    commands: "Commands", name: str, text: str, details: str, examples: Sequence[str]
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=_filled(f"{text[0].upper()}{text[1:]}. {details}"),
        epilog=examples_text(examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _filled(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), _WIDTH)


def examples_text(examples: Sequence[str]) -> str | None:
    """Command lines as the end of a help text, None where there are none.

    >>> print(examples_text(["djflow status"]))
    For example:
      djflow status
    """
    return "\n".join(["For example:", *(f"  {example}" for example in examples)]) if examples else None


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that makes the result one for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def add_places(parser: argparse.ArgumentParser) -> None:
    """Add the options that say where the names of tables are looked up."""
    parser.add_argument(
        "--schema",
        action="append",
        default=[],
        metavar="NAME",
        help="look for tables in this schema (again for more; default: all schemas of the database)",
    )
    parser.add_argument(
        "--module",
        action="append",
        default=[],
        metavar="MODULE",
        help="look for tables in this Python module, which is imported",
    )
