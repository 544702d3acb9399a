"""`djflow init`: a project to begin with."""

import argparse
import keyword
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from djflow.cli.arguments import add_command
from djflow.errors import DjflowError, InvalidArgumentError

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_SECRET_FILES: Final = ("database.user", "database.password")


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    init = add_command(
        commands,
        "init",
        _init,
        "make a project: a package with a module per schema, configuration, a test",
        "Nothing that exists is overwritten.",
        examples=("djflow init my_lab", "djflow init my_lab --in ~/projects/lab-pipeline"),
    )
    init.add_argument("name", metavar="NAME", help="of the package, and the beginning of its schemas' names")
    init.add_argument(
        "--in", type=Path, dest="folder", metavar="FOLDER", help="the project's folder (default: ./NAME)"
    )


def _init(options: argparse.Namespace) -> None:
    folder: Path = options.folder if options.folder is not None else Path(options.name)
    written = write_project(options.name, folder)
    print("\n".join(map(str, written)))
    _tell(options.name, folder)


def write_project(name: str, folder: Path) -> list[Path]:
    """Write the files of a project called `name`, and return their paths.

    Raises `InvalidArgumentError` for what is no name of a package, `DjflowError`, before anything is written,
    where one of the files exists or the folder cannot be written.
    """
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in {"djflow", "tests"}:
        raise InvalidArgumentError(f"{name!r} cannot be the name of a package.").suggest(
            "Take small letters, digits and underscores, a letter first."
        )
    from djflow.cli.project_files import files_of

    files = {folder / path: text for path, text in files_of(name).items()}
    secrets = folder / ".secrets"
    if existing := [path for path in (*files, secrets) if path.exists()]:
        raise DjflowError(f"{existing[0]} exists, and is left as it is. Nothing was written.").suggest(
            "Choose another folder with --in, or move it away."
        )
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return [*files, *_write_secrets(secrets)]
    except OSError as error:
        raise DjflowError(f"{error.filename} cannot be written: {error.strerror}.") from error


def _write_secrets(folder: Path) -> list[Path]:
    """A folder that only this user can read, with a file for each credential; empty ones set nothing."""
    folder.mkdir(mode=0o700)
    ignored = folder / ".gitignore"
    ignored.write_text("*\n", encoding="utf-8")
    files = [folder / name for name in _SECRET_FILES]
    for file in files:
        file.touch(mode=0o600)
    return [ignored, *files]


def _tell(name: str, folder: Path) -> None:
    import sys

    steps = (
        f"cd {folder}",
        "python -m pytest",
        f"djflow populate {name}",
        f"djflow status --module {name}",
    )
    print("\nNext:", *steps, sep="\n  ", file=sys.stderr)
