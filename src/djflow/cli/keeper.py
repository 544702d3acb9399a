"""A process that keeps the embedded server up until somebody stops the server: `djflow db start` starts it.

Run as ``python -m djflow.cli.keeper``; it prints the server's address, and nothing more.
"""

import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from typing import Final

from djflow.backend.embedded import EmbeddedServer
from djflow.backend.embedded.locks import claim
from djflow.configuration import Settings
from djflow.errors import ServerError

_LOCK: Final = "keeper.lock"
_UNUSED: Final = "postgres"  # a database that nobody will want to copy or drop
_PAUSE: Final = 0.2  # seconds between attempts to reach a server that is going down or coming up


def start_keeper(settings: Settings) -> None:
    """Start the process, unless one lives, and return once it holds the server. Raises `ServerError`."""
    lock = claim(settings.home / _LOCK)
    if lock is None:
        return
    os.close(lock)
    keeper = subprocess.Popen(
        [sys.executable, "-m", "djflow.cli.keeper"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        creationflags=_detached(),
    )
    assert keeper.stdout is not None  # noqa: S101 - a pipe was asked for
    with keeper.stdout as told:
        if not told.readline():
            raise ServerError("The process that keeps the server up did not start.").suggest(
                "`djflow db run` does the same in this terminal, and tells what is wrong."
            )
    keeper.returncode = 0  # it goes on without this process, which does not wait for it


def wait_while_served(server: EmbeddedServer) -> None:
    """Return when somebody has stopped the server; a crash from which it recovers does not count."""
    import psycopg

    url = server.acquire(_UNUSED)
    while True:
        with suppress(psycopg.Error), psycopg.connect(url, application_name="djflow keeper") as connection:
            # The server says nothing to who asks nothing, until it goes down.
            select.select([connection.fileno()], [], [])
        if not server.status().running:
            return
        time.sleep(_PAUSE)


def _detached() -> int:
    if sys.platform == "win32":
        return subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def _main() -> None:
    from djflow.cli.db import embedded_settings

    settings = embedded_settings()
    with EmbeddedServer(settings.home) as server:
        lock = claim(settings.home / _LOCK)
        server.acquire(settings.database.name)
        print("up", flush=True)
        if lock is not None:
            wait_while_served(server)


if __name__ == "__main__":
    _main()
