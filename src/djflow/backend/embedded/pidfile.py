"""PostgreSQL's lock file: which process serves a data folder, and at what address."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

# kill() finds no such process on any system, so PostgreSQL takes the file for stale.
NO_PROCESS: Final = 2**31 - 1
_ADDRESS_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class PidFile:
    """What the file says; `socket_folder` is empty where the server listens on no socket."""

    pid: int
    port: int
    socket_folder: str


def parse_pid_file(text: str) -> PidFile | None:
    r"""Read the text of the file; None while it is still being written.

    >>> parse_pid_file("42\n/data\n1700000000\n5432\n/run/djflow\n")
    PidFile(pid=42, port=5432, socket_folder='/run/djflow')
    >>> parse_pid_file("42\n/data\n")
    """
    lines = text.splitlines()
    if len(lines) < _ADDRESS_LINES or not (lines[0].isdecimal() and lines[3].isdecimal()):
        return None
    return PidFile(int(lines[0]), int(lines[3]), lines[4])


def read_pid_file(path: Path) -> PidFile | None:
    """The file as it stands; None if there is none or it is incomplete."""
    try:
        return parse_pid_file(path.read_text(errors="surrogateescape"))
    except FileNotFoundError:
        return None


def mark_stale(path: Path) -> None:
    """Make PostgreSQL ignore the process id of a file whose process is another program or a zombie.

    Only the process id is replaced. The remaining lines let PostgreSQL find out whether an orphaned
    backend of the former server still writes, so the file itself must stay.
    """
    try:
        first, newline, rest = path.read_text(errors="surrogateescape").partition("\n")
    except FileNotFoundError:
        return
    if first.isdecimal() and newline:
        path.write_text(f"{NO_PROCESS}\n{rest}", errors="surrogateescape")
    else:
        path.unlink()
