"""Running PostgreSQL's programs, as an account that PostgreSQL accepts."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from djflow.errors import DiskFullError, ServerError

_DISK_FULL = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True, slots=True)
class Account:
    """How programs of the server are started.

    `owner` is the user id that its files have outside; `prefix` comes before every command;
    `drop_to` are the user and group ids that a root process changes to, where it must.
    """

    owner: int
    prefix: tuple[str, ...] = ()
    drop_to: tuple[int, int] | None = None

    def process_options(self) -> dict[str, Any]:
        """The keyword arguments of `subprocess.run` that make the change of user."""
        if self.drop_to is None:
            return {}
        user, group = self.drop_to
        return {"user": user, "group": group, "extra_groups": []}


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left behind; `output` is its standard output and error, in order."""

    code: int
    output: str


def run(account: Account, command: Iterable[str | Path], *, cwd: Path | None = None) -> Finished:
    """Run a program to its end. Code 127 stands for one that could not even be started."""
    argv = [*account.prefix, *map(str, command)]
    try:
        done = subprocess.run(  # noqa: S603 - a list, never a shell
            argv,
            cwd=cwd,
            env=server_environment(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            **account.process_options(),
        )
    except OSError as error:
        return Finished(127, f"{argv[0]}: {error.strerror}")
    return Finished(done.returncode, done.stdout.decode(errors="replace"))


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what would redirect PostgreSQL, and with English messages.

    >>> server_environment({"HOME": "/root", "PGPORT": "1", "LANG": "de_DE"})
    {'HOME': '/root', 'LC_ALL': 'C'}
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C"}


def server_failure(what: str, said: str) -> ServerError:
    """The error for a program that failed, with the last of what it said.

    >>> type(server_failure("initdb failed", "could not write: No space left on device")).__name__
    'DiskFullError'
    """
    last = "\n".join(f"  {line}" for line in said.strip().splitlines()[-8:])
    message = f"{what}\n{last}" if last else what
    if any(mark in said for mark in _DISK_FULL):
        return DiskFullError(f"The disk is full. {message}").suggest("Free some space, then try again.")
    return ServerError(message)
