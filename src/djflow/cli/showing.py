"""`djflow config`: what is configured, and where."""

import argparse
from typing import TYPE_CHECKING, Any

from djflow.cli.arguments import add_command, add_family, add_json

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    actions = add_family(commands, "config", "show the configuration")
    show = add_command(
        actions,
        "show",
        _show,
        "show all settings, with the file or variable that each comes from",
        "Secrets are never shown.",
        examples=("djflow config show", "djflow config show database", "djflow config show --json"),
    )
    show.add_argument("prefix", nargs="?", default="", metavar="NAME", help="a setting, or a group of them")
    add_json(show)


def _show(options: argparse.Namespace) -> None:
    from djflow.cli.output import print_rows
    from djflow.configuration import shared
    from djflow.configuration.build import values_of
    from djflow.errors import UnknownSettingError

    values, sources = values_of(shared.settings), shared.sources()
    wanted = f"{options.prefix}." if options.prefix else ""
    rows = [
        {"setting": name, "value": _told(value), "source": sources[name]}
        for name, value in values.items()
        if f"{name}.".startswith(wanted)
    ]
    if not rows:
        raise UnknownSettingError(options.prefix, tuple(values))
    print_rows(("setting", "value", "source"), rows, as_json=options.json)


def _told(value: object) -> Any:
    """The value as JSON has it, where it does; a secret's own text is its mask."""
    from djflow.configuration.secret import MASK, has_credentials

    text = value if value is None or isinstance(value, bool | int | float | str) else str(value)
    return MASK if isinstance(text, str) and has_credentials(text) else text
