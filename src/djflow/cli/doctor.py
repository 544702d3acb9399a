"""`djflow doctor`: whether everything is as it should be, and what to do where it is not."""

import argparse
from typing import TYPE_CHECKING, Final

from djflow.cli.arguments import add_command, add_json

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands

_MARKS: Final = {"ok": "ok     ", "warning": "WARNING", "failed": "FAILED "}


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    doctor = add_command(
        commands,
        "doctor",
        _doctor,
        "check configuration, packages, server, rights, stores, disk and clock",
        "It says what to do about each that is not well. The exit code is 1 where something fails; warnings "
        "leave it at 0. To check a store, a small file is written into it and removed.",
        examples=("djflow doctor", "djflow doctor --json"),
    )
    add_json(doctor)


def _doctor(options: argparse.Namespace) -> int:
    from djflow.cli.checks import examined
    from djflow.cli.output import as_document

    found = list(examined())
    if options.json:
        print(as_document([finding.as_dict() for finding in found]))
    for finding in () if options.json else found:
        print(f"{_MARKS[finding.state]}  {finding.check}: {finding.told}")
        for advice in finding.advice:
            print(f"         -> {advice}")
    return int(any(finding.state == "failed" for finding in found))
