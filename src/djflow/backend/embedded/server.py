"""The embedded server as its clients see it."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self

from djflow.backend.embedded.accounts import adopt, choose_account
from djflow.backend.embedded.binaries import Binaries, find_binaries
from djflow.backend.embedded.cluster import configure, create_cluster
from djflow.backend.embedded.commands import Account
from djflow.backend.embedded.endpoints import Endpoint, new_endpoint, running_endpoint
from djflow.backend.embedded.filesystems import check_local
from djflow.backend.embedded.layout import Layout, known_majors
from djflow.backend.embedded.locks import exclusive, share
from djflow.backend.embedded.pidfile import mark_stale, read_pid_file
from djflow.backend.embedded.postmaster import (
    DATABASE,
    ensure_database,
    find_running,
    ping,
    start,
    stop,
    stop_command,
)
from djflow.backend.embedded.watcher import is_served
from djflow.backend.embedded.watching import ensure_watcher
from djflow.errors import DiskFullError, ServerError

FAST_UNSAFE_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
)
"""Settings for tests: fast, and a power failure may destroy the whole cluster."""

_NO_SETTINGS: Final[Mapping[str, str]] = MappingProxyType({})
_PATIENCE: Final = 120.0  # seconds: making a cluster or a recovery, by another process, on a slow disk


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What is known of a server without starting it.

    `version` is that of the programs in `binaries`; `pid` is the server's process and `socket_folder` its
    address, None unless it answers (on Windows there is no socket); `log` is where it writes what it does.
    """

    running: bool
    version: str
    binaries: Path
    folder: Path
    log: Path
    pid: int | None = None
    socket_folder: Path | None = None


class EmbeddedServer:
    """A PostgreSQL server that belongs to a folder and runs as long as a process uses it.

    `home` is made if missing and holds one cluster, in `home/pg<major version>`. `settings` are further
    settings of PostgreSQL (default none); they count for a start and not for a server that runs already.
    All processes of one user that name the same home share the server. It stops when the last of them has
    released it or has died. It listens on a socket that only this user can reach, and nowhere else.

    >>> import tempfile, psycopg
    >>> home = tempfile.TemporaryDirectory()
    >>> with EmbeddedServer(Path(home.name), settings=FAST_UNSAFE_SETTINGS) as server:
    ...     with psycopg.connect(server.acquire()) as connection:
    ...         connection.execute("SELECT current_database(), current_user").fetchone()
    ...     server.stop()
    ('djflow', 'djflow')
    True
    >>> home.cleanup()
    """

    home: Path
    settings: MappingProxyType[str, str]

    def __init__(self, home: Path, *, settings: Mapping[str, str] = _NO_SETTINGS) -> None:
        self.home = home.expanduser().resolve()
        self.settings = MappingProxyType(dict(settings))
        self._held: tuple[int, int] | None = None  # process id, descriptor of the users' lock

    def __repr__(self) -> str:
        return f"EmbeddedServer({str(self.home)!r})"

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()

    def acquire(self, database: str | None = None) -> str:
        """The URI of the running server, for libpq, psycopg and ADBC, after starting it where needed.

        `database` is one of the server's databases, made where it is missing; by default `djflow`.
        Calling it again in one process changes nothing but mends a server that died; a forked process that
        calls it becomes a client of its own. Raises `ServerError` with the reason, `DiskFullError` where
        that is the reason, and `ConfigError` for impossible settings.
        """
        check_local(self.home)
        layout = self._layout
        with _explained(layout), _prepared(layout), exclusive(layout.start_lock, patience=_PATIENCE):
            is_new = self._join(layout)
            try:
                return self._ensure_running(layout, database or DATABASE)
            except BaseException:
                if is_new:
                    self.release()
                raise

    def release(self) -> None:
        """Stop being a client; without clients the server stops. Does nothing if not acquired."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held[1])

    def stop(self) -> bool:
        """Stop the server now, whoever uses it; their open transactions are rolled back.

        Returns whether it was running. Raises `ServerError` if it does not stop.
        """
        layout = self._layout
        if not is_served(layout.data):
            return False
        with _explained(layout), exclusive(layout.start_lock, patience=_PATIENCE):
            stop(layout, self._binaries, self._account)
        return True

    def status(self) -> ServerStatus:
        """What is known of the server; starts nothing. Raises `ServerError` if no PostgreSQL is found."""
        layout, binaries = self._layout, self._binaries
        idle = ServerStatus(
            running=False,
            version=binaries.version,
            binaries=binaries.folder,
            folder=layout.folder,
            log=layout.log,
        )
        pid_file = read_pid_file(layout.pid_file)
        if pid_file is None or not is_served(layout.data):
            return idle
        if ping(running_endpoint(layout, pid_file, self._account)) == "NO_RESPONSE":
            return idle
        socket_folder = Path(pid_file.socket_folder) if pid_file.socket_folder else None
        return replace(idle, running=True, pid=pid_file.pid, socket_folder=socket_folder)

    @cached_property
    def _binaries(self) -> Binaries:
        return find_binaries(known_majors(self.home))

    @cached_property
    def _account(self) -> Account:
        return choose_account(self._binaries, self._layout.folder)

    @property
    def _layout(self) -> Layout:
        return Layout(self.home / f"pg{self._binaries.major}")

    def _join(self, layout: Layout) -> bool:
        """Become a client, and say whether this process was none before."""
        if self._held is not None and self._held[0] == os.getpid():
            return False
        inherited, self._held = self._held, (os.getpid(), share(layout.users_lock, patience=_PATIENCE))
        if inherited is not None:
            os.close(inherited[1])
        return True

    def _ensure_running(self, layout: Layout, database: str) -> str:
        endpoint = self._found(layout)
        if endpoint is None:
            endpoint = self._started(layout)
            ensure_database(endpoint, DATABASE)
        if database != DATABASE:
            ensure_database(endpoint, database)
        return endpoint.conninfo(database)

    def _found(self, layout: Layout) -> Endpoint | None:
        # before the start: should this process be killed meanwhile, the watcher ends what it began
        ensure_watcher(layout, self._account, stop_command(layout, self._binaries))
        return find_running(layout, self._account)

    def _started(self, layout: Layout) -> Endpoint:
        account, binaries = self._account, self._binaries
        stop(layout, binaries, account)  # one that lives but has lost its socket
        endpoint = new_endpoint(layout, account)
        adopt(layout.folder, account)
        endpoint.prepare()
        create_cluster(layout, binaries, account, endpoint, self.settings)
        configure(layout, endpoint, self.settings)
        mark_stale(layout.pid_file)
        adopt(layout.folder, account)
        start(layout, binaries, account)
        return endpoint


@contextmanager
def _prepared(layout: Layout) -> Iterator[None]:
    layout.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield


@contextmanager
def _explained(layout: Layout) -> Iterator[None]:
    """Turn the system's errors about our own files into `ServerError`."""
    try:
        yield
    except OSError as error:
        place = error.filename or layout.folder
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError(f"The disk is full: {place} cannot be written. Free some space.") from error
        raise ServerError(
            f"The server's folder {layout.folder} cannot be used: {place}: {error.strerror}. "
            "Choose a home that you can write to."
        ) from error
