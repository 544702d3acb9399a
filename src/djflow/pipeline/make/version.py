"""The version of the code that computes, to be kept with the rows."""

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Final

_PATIENCE: Final = 5.0  # seconds
_LONGEST: Final = 64  # characters of the column


def code_version(method: str | None) -> str:
    """What `jobs.version_method` asks for: with "git", the commit of the working folder, else nothing.

    A commit ends in "-dirty" where files differ from it. Outside of a repository there is none.

    >>> code_version(None)
    ''
    """
    return _git(Path.cwd()) if method == "git" else ""


@lru_cache(1)  # of a process: code that was imported does not change
def _git(folder: Path) -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(  # noqa: S603
            command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()[:_LONGEST]
