"""`djflow db`: the server by hand, and archives of what is in it."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from djflow.cli.arguments import add_command, add_family

if TYPE_CHECKING:
    from djflow.backend.embedded import ServerStatus
    from djflow.cli.arguments import Commands
    from djflow.configuration import Settings

_LIFE: Final = "The server stops when its last user ends; `djflow db start` keeps it up."


def add_commands(commands: "Commands") -> None:
    """Add them to the parser."""
    actions = add_family(
        commands,
        "db",
        "start, stop, reach the embedded PostgreSQL server; dump and restore schemas",
        "The embedded server starts when it is needed and stops when its last user ends, unless it "
        "is told to stay up.",
        examples=(
            "djflow db start",
            "djflow db shell -c 'SELECT version()'",
            "djflow db dump my_lab archive-2024",
            "djflow db restore archive-2024 --schema copy_of_my_lab",
        ),
    )
    for name, run, text in (
        ("status", print_status, "tell whether the server runs, and where its files are"),
        ("start", start, "start the server and keep it up in the background, until `djflow db stop`"),
        ("stop", stop, "stop the server now, whoever uses it"),
        ("url", print_url, "start the server if needed and print its connection URL, without a password"),
        ("run", keep_running, "keep the server running for other programs, until Ctrl-C"),
    ):
        add_command(actions, name, run, text)
    shell = add_command(
        actions,
        "shell",
        open_shell,
        "open psql on the database, the configured or the embedded one",
        examples=(
            "djflow db shell",
            "djflow db shell -c 'SELECT version()'",
            "djflow db shell -- --csv -f my.sql",
        ),
    )
    shell.add_argument("-c", "--command", metavar="SQL", dest="sql", help="run this and end")
    shell.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for psql, behind --")
    _add_archives(actions)


def _add_archives(actions: "Commands") -> None:
    dump = add_command(
        actions,
        "dump",
        _dump,
        "keep a schema, with all rows and their objects, as a folder of plain files",
        examples=("djflow db dump my_lab archive-2024",),
    )
    dump.add_argument("schema", metavar="SCHEMA", help="a schema of the database")
    dump.add_argument("folder", type=Path, metavar="FOLDER", help="a new folder")
    dump.add_argument(
        "--include-parents", action="store_true", help="with the tables of other schemas to which these refer"
    )
    restore = add_command(
        actions,
        "restore",
        _restore,
        "put all that is in an archive into the database, or nothing of it",
        examples=("djflow db restore archive-2024 --schema copy_of_my_lab",),
    )
    restore.add_argument("folder", type=Path, metavar="FOLDER", help="an archive")
    restore.add_argument("--schema", metavar="NAME", help="under this name (default: the name that it had)")
    restore.add_argument(
        "--on-conflict",
        choices=("error", "skip", "match"),
        default="error",
        help="rows whose primary key exists: refuse, leave, or leave if equal (default: error)",
    )
    restore.add_argument("--no-create", action="store_true", help="create no schemas and tables")


def print_status(_options: argparse.Namespace) -> None:
    """Print what is known of the embedded server, and whether the configuration uses it at all."""
    from djflow.backend.embedded import EmbeddedServer

    settings = _settings()
    print(status_text(EmbeddedServer(settings.home).status()))
    if settings.database.is_configured:
        print(f"not used: the configuration names {settings.database.describe()}")


def status_text(status: "ServerStatus") -> str:
    """The status, a fact a line.

    >>> from djflow.backend.embedded import ServerStatus
    >>> folder = Path("lab") / "pg18"
    >>> print(status_text(ServerStatus(False, "18.6", Path("bin"), folder, folder / "data.log")))
    state:     stopped
    version:   PostgreSQL 18.6
    programs:  bin
    data:      lab/pg18
    log:       lab/pg18/data.log
    """
    facts = {
        "state": f"running, process {status.pid}" if status.running else "stopped",
        "version": f"PostgreSQL {status.version}",
        "programs": status.binaries,
        "data": status.folder,
        "log": status.log,
        "socket": status.socket_folder,
    }
    return "\n".join(f"{name + ':':<10} {fact}" for name, fact in facts.items() if fact is not None)


def stop(_options: argparse.Namespace) -> None:
    """Stop the embedded server."""
    from djflow.backend.embedded import EmbeddedServer

    was_running = EmbeddedServer(_settings().home).stop()
    print("The embedded server is stopped." if was_running else "The embedded server was not running.")


def print_url(_options: argparse.Namespace) -> None:
    """Print the embedded server's URL, without a password; starts the server where needed.

    Raises `ConfigError` where the configuration names another server.
    """
    from djflow.backend.embedded import EmbeddedServer

    settings = embedded_settings()
    with EmbeddedServer(settings.home) as server:
        print(without_password(server.acquire(settings.database.name)))
    print(_LIFE, file=sys.stderr)


def start(_options: argparse.Namespace) -> None:
    """Have a process of its own hold the server. Raises `ConfigError` as `print_url` does, `ServerError`."""
    from djflow.backend.embedded import EmbeddedServer
    from djflow.cli.keeper import start_keeper

    settings = embedded_settings()
    with EmbeddedServer(settings.home) as server:  # whose errors are told here
        url = server.acquire(settings.database.name)
        start_keeper(settings)
    print(without_password(url))
    print("The server stays up until `djflow db stop`.", file=sys.stderr)


def keep_running(_options: argparse.Namespace) -> None:
    """Hold the server until interrupted, or until somebody stops it. Raises as `print_url` does."""
    from djflow.backend.embedded import EmbeddedServer
    from djflow.cli.keeper import wait_while_served

    settings = embedded_settings()
    with EmbeddedServer(settings.home) as server:
        print(without_password(server.acquire(settings.database.name)), flush=True)
        print("The server is up. Press Ctrl-C to let it go.", file=sys.stderr, flush=True)
        wait_while_served(server)
    print("The server was stopped.", file=sys.stderr)


def open_shell(options: argparse.Namespace) -> int:
    """Run psql and return its exit code. Raises `ServerError` where there is none."""
    from djflow.cli.psql import run_psql
    from djflow.tables.default import conn

    run = ["--command", options.sql] if options.sql else []
    return run_psql(conn().session.conninfo(), [*run, *options.arguments])


def without_password(url: str) -> str:
    """A connection URL with its password left out.

    >>> without_password("postgresql://ann:secret@localhost:5433/lab")
    'postgresql://ann@localhost:5433/lab'
    """
    return re.sub(r"(?<=://)([^:@/?]*):[^@/?]*@", r"\1@", url)


def _settings() -> "Settings":
    from djflow.configuration import load

    return load(os.environ, Path.cwd())


def embedded_settings() -> "Settings":
    """The settings, where they mean the embedded server. Raises `ConfigError` where they name another."""
    settings = _settings()
    if settings.database.is_configured:
        from djflow.errors import ConfigError

        raise ConfigError(
            f"The configuration names the server {settings.database.describe()}, not the embedded one."
        ).suggest("Unset DATABASE_URL and DJ_HOST, and the database settings, to use the embedded server.")
    return settings


def _dump(options: argparse.Namespace) -> None:
    from djflow.cli.places import of_database
    from djflow.tables.default import conn

    summary = of_database(conn(), options.schema).dump(
        options.folder, include_parents=options.include_parents, display_progress=sys.stderr.isatty()
    )
    for name, rows in summary.rows.items():
        print(f"{name}: {rows} rows")
    print(f"objects: {summary.objects}")
    for name, facts in summary.not_kept.items():
        print(f"not kept of {name}: {'; '.join(facts)}", file=sys.stderr)


def _restore(options: argparse.Namespace) -> None:
    from djflow.tables.archiving import restore

    summary = restore(
        options.folder,
        schema=options.schema,
        on_conflict=options.on_conflict,
        create=not options.no_create,
        display_progress=sys.stderr.isatty(),
    )
    for name, rows in summary.inserted.items():
        print(f"{name}: {rows} rows")
