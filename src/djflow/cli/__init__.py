"""The command `djflow`."""

from djflow.cli.command_line import main

__all__ = ["main"]
