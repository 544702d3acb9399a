"""The server process: whether it answers, starting it, stopping it."""

import contextlib
import logging
import time
from pathlib import Path
from typing import Final

from djflow.backend.embedded.binaries import Binaries
from djflow.backend.embedded.commands import Account, Finished, run, server_failure
from djflow.backend.embedded.endpoints import ROLE, Endpoint, running_endpoint
from djflow.backend.embedded.layout import Layout
from djflow.backend.embedded.pidfile import read_pid_file
from djflow.backend.embedded.watcher import is_served, serves
from djflow.errors import DiskFullError, QueryError, ServerError
from djflow.sql.identifiers import quote

DATABASE: Final = "djflow"
RECOVERY: Final = 40.0  # seconds that a start may take after a crash
_GRACE: Final = 2.0  # seconds after which a living server that does not answer has lost its socket
_STOP: Final = 30  # seconds for open sessions to end
_LONGEST_LOG: Final = 10_000_000
# What a new server says while processes of the former one are still ending.
_PASSING: Final = ("pre-existing shared memory block", "already exists")

_logger = logging.getLogger("djflow.embedded")


def find_running(layout: Layout, account: Account) -> Endpoint | None:
    """The address of a server that answers, after waiting for one that is starting; None if there is none."""
    deadline = time.monotonic() + RECOVERY
    silent_until = time.monotonic() + _GRACE
    while pid_file := read_pid_file(layout.pid_file):
        endpoint = running_endpoint(layout, pid_file, account)
        match ping(endpoint):
            case "OK":
                return endpoint
            case "REJECT" if time.monotonic() > deadline:
                raise _still_recovering(layout)
            case "NO_RESPONSE" if time.monotonic() > silent_until or not serves(pid_file.pid, layout.data):
                return None
        time.sleep(0.02)
    return None


def ping(endpoint: Endpoint) -> str:
    """`OK`, `REJECT` for a server that starts or stops, or `NO_RESPONSE`."""
    from psycopg.pq import PGconn, Ping

    conninfo = endpoint.conninfo("postgres") + "&connect_timeout=5"
    return Ping(PGconn.ping(conninfo.encode())).name


def start(layout: Layout, binaries: Binaries, account: Account) -> None:
    """Start the server and wait until it answers. Raises `ServerError`, or `DiskFullError`."""
    deadline = time.monotonic() + RECOVERY
    if layout.pid_file.exists():
        _logger.warning("The server in %s was not shut down; it recovers now.", layout.folder)
    _rotate(layout)
    while (left := deadline - time.monotonic()) > 0:
        said_before = _size(layout.log)
        done = _try_start(layout, binaries, account, left)
        if done.code == 0:
            return
        said = _said_since(layout.log, said_before)
        if "did not start in time" in done.output:
            break
        if not any(mark in said for mark in _PASSING):
            raise server_failure(
                f"The server in {layout.folder} did not start. Its log is {layout.log}.", said or done.output
            )
        if find_running(layout, account) is not None:  # begun by a process that was killed
            return
        time.sleep(0.1)
    raise _still_recovering(layout)


def stop_command(layout: Layout, binaries: Binaries) -> list[str]:
    """The command that ends all sessions, stops the server and waits for it."""
    folder = str(layout.data)
    return [str(binaries.program("pg_ctl")), "stop", "-D", folder, "-m", "fast", "-w", "-t", str(_STOP), "-s"]


def stop(layout: Layout, binaries: Binaries, account: Account) -> None:
    """Stop the server, whoever uses it. Raises `ServerError` if it keeps running."""
    command = stop_command(layout, binaries)
    for words in (command, ["immediate" if word == "fast" else word for word in command]):
        if not is_served(layout.data):
            return
        said = run(account, words).output
    if is_served(layout.data):
        raise server_failure(f"The server in {layout.folder} did not stop.", said)


def ensure_database(endpoint: Endpoint, database: str) -> None:
    """Make a database, unless it exists. Raises `ServerError`, `DiskFullError` where that is the reason."""
    import psycopg

    try:
        name = quote(database)
        with contextlib.closing(
            psycopg.connect(endpoint.conninfo("postgres"), autocommit=True)
        ) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
            if found is None:
                # Another program, which knows nothing of our locks, may be quicker.
                with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                    connection.execute(f"CREATE DATABASE {name} OWNER {ROLE}".encode())
    except psycopg.errors.DiskFull as error:
        raise DiskFullError(f"The disk is full: the database {database} could not be made.") from error
    except (psycopg.Error, QueryError) as error:
        raise ServerError(f"The database {database} could not be made: {error}") from error


def _try_start(layout: Layout, binaries: Binaries, account: Account, seconds: float) -> Finished:
    # Relative names, since pg_ctl hands them to a shell.
    names = ["-D", layout.data.name, "-l", layout.log.name]
    wait = ["-w", "-t", str(max(1, round(seconds)))]
    return run(account, [binaries.program("pg_ctl"), "start", *names, *wait], cwd=layout.folder)


def _still_recovering(layout: Layout) -> ServerError:
    return ServerError(
        f"The server in {layout.folder} is still recovering after {RECOVERY:.0f} s. "
        f"It goes on by itself: try again later. Its log is {layout.log}."
    )


def _rotate(layout: Layout) -> None:
    if _size(layout.log) > _LONGEST_LOG:
        layout.log.replace(layout.log.with_suffix(".log.1"))


def _size(log: Path) -> int:
    return log.stat().st_size if log.exists() else 0


def _said_since(log: Path, offset: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")
