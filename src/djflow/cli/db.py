"""`djflow db`: the embedded server by hand."""

import os
import re
import sys
import threading
from pathlib import Path

from djflow.backend.embedded import EmbeddedServer, ServerStatus
from djflow.configuration import Settings, load
from djflow.errors import ConfigError

_LIFE = "The server stops when its last user ends; `djflow db run` in another terminal keeps it up."


def print_status() -> None:
    """Print what is known of the embedded server, and whether the configuration uses it at all."""
    settings = _settings()
    print(status_text(EmbeddedServer(settings.home).status()))
    if settings.database.is_configured:
        print(f"not used: the configuration names {settings.database.describe()}")


def status_text(status: ServerStatus) -> str:
    """The status, a fact a line.

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


def stop() -> None:
    """Stop the embedded server."""
    was_running = EmbeddedServer(_settings().home).stop()
    print("The embedded server is stopped." if was_running else "The embedded server was not running.")


def print_url() -> None:
    """Print the embedded server's URL, without a password; starts the server where needed.

    Raises `ConfigError` where the configuration names another server.
    """
    settings = _embedded_settings()
    with EmbeddedServer(settings.home) as server:
        print(without_password(server.acquire(settings.database.name)))
    print(_LIFE, file=sys.stderr)


def keep_running() -> None:
    """Hold the embedded server until interrupted. Raises `ConfigError` as `print_url` does."""
    settings = _embedded_settings()
    with EmbeddedServer(settings.home) as server:
        print(without_password(server.acquire(settings.database.name)), flush=True)
        print("The server is up. Press Ctrl-C to let it go.", file=sys.stderr, flush=True)
        threading.Event().wait()


def without_password(url: str) -> str:
    """A connection URL with its password left out.

    >>> without_password("postgresql://ann:secret@localhost:5433/lab")
    'postgresql://ann@localhost:5433/lab'
    """
    return re.sub(r"(?<=://)([^:@/?]*):[^@/?]*@", r"\1@", url)


def _settings() -> Settings:
    return load(os.environ, Path.cwd())


def _embedded_settings() -> Settings:
    settings = _settings()
    if settings.database.is_configured:
        raise ConfigError(
            f"The configuration names the server {settings.database.describe()}, not the embedded one."
        ).suggest("Unset DATABASE_URL and DJ_HOST, and the database settings, to use the embedded server.")
    return settings
