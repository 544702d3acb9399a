"""The packages of one of djflow's extras, as its own metadata names them."""

import importlib
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from shlex import join

from djflow.errors import DjflowError


class MissingExtraError(DjflowError):
    """Packages that a command needs and that could not be installed. `command` would install them."""

    extra: str
    command: str
    reason: str

    def __init__(self, extra: str, command: str, reason: str) -> None:
        self.extra, self.command, self.reason = extra, command, reason
        super().__init__(f"The packages of djflow[{extra}] could not be installed: {reason}.")
        self.suggest(
            f"Run it yourself: {command}",
            f"Without pip: install djflow[{extra}] with the tool that made this environment.",
        )


def missing_requirements(extra: str) -> list[str]:
    """The requirements of an extra of which no version is installed.

    >>> missing_requirements("no such extra")
    []
    """
    return [requirement for requirement in requirements(extra) if not _is_installed(requirement)]


def requirements(extra: str) -> list[str]:
    """The requirements of an extra, as installed djflow declares them.

    >>> [line for line in requirements("pandas") if line.startswith("pandas")]
    ['pandas>=2.2']
    """
    return select(metadata.requires("djflow") or (), extra)


def select(declared: Iterable[str], extra: str) -> list[str]:
    """Those requirements whose marker names the extra, without that marker.

    >>> select(["polars>=1", "matplotlib>=3.9; extra == 'demo'", 'pandas; extra == "pandas"'], "demo")
    ['matplotlib>=3.9']
    """
    pairs = (line.partition(";") for line in declared)
    marks = {f"extra == '{extra}'", f'extra == "{extra}"'}
    return [requirement.strip() for requirement, _, marker in pairs if marker.strip() in marks]


def install(extra: str) -> None:
    """Install the requirements of an extra with this interpreter's pip. Raises `MissingExtraError`."""
    command = [sys.executable, "-m", "pip", "install", *requirements(extra)]
    _run(command, extra)
    importlib.invalidate_caches()
    if left := missing_requirements(extra):
        raise MissingExtraError(extra, join(command), f"pip left out {', '.join(left)}")


def _run(command: Sequence[str], extra: str) -> None:
    try:
        # pip reports to stderr, so that stdout holds what was asked for.
        status = subprocess.run(command, check=False, stdout=sys.__stderr__).returncode  # noqa: S603 - our own list
    except OSError as error:
        raise MissingExtraError(extra, join(command), f"pip cannot be started, {error.strerror}") from error
    if status:
        raise MissingExtraError(extra, join(command), f"pip ended with status {status}, see above")


def _is_installed(requirement: str) -> bool:
    name = requirement[: next((i for i, c in enumerate(requirement) if c in " <>=!~[;("), len(requirement))]
    try:
        metadata.distribution(name)
    except PackageNotFoundError:
        return False
    return True
