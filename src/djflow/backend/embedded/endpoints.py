"""Where the server listens: on POSIX a socket in a private folder, never TCP."""

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import quote

from djflow.backend.embedded.commands import Account
from djflow.backend.embedded.layout import Layout
from djflow.backend.embedded.pidfile import PidFile
from djflow.errors import ServerError

ROLE: Final = "djflow"
_PORT: Final = 5432  # only a part of the socket's name
_PRIVATE: Final = 0o700
_LONGEST: Final = 103  # bytes of a socket's path that every system takes


class Endpoint(Protocol):
    """An address that only the owner can use."""

    def settings(self) -> dict[str, str]:
        """The server's settings that make it listen here."""

    def access_rules(self) -> str:
        """The content of `pg_hba.conf`."""

    def initdb_options(self) -> list[str]:
        """The options of `initdb` that set the way to log in."""

    def prepare(self) -> None:
        """Make what must exist before the server starts. Raises `ServerError`."""

    def conninfo(self, database: str) -> str:
        """The URI for libpq."""


@dataclass(frozen=True, slots=True)
class SocketEndpoint:
    """A Unix socket; `owner` is the user id to whom its folder belongs.

    >>> SocketEndpoint(Path("/run/user/7/djflow-1f"), owner=7).conninfo("djflow")
    'postgresql:///djflow?host=%2Frun%2Fuser%2F7%2Fdjflow-1f&port=5432&user=djflow'
    """

    folder: Path
    owner: int
    port: int = _PORT

    def settings(self) -> dict[str, str]:
        """No TCP; one socket that only its owner can open."""
        quoted = str(self.folder).replace('"', '""')
        return {
            "listen_addresses": "",
            "port": str(self.port),
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
        }

    def access_rules(self) -> str:
        """Whoever can open the socket may be any role: the file system has decided already."""
        return "local all all trust\n"

    def initdb_options(self) -> list[str]:
        """No password."""
        return ["--auth=trust"]

    def prepare(self) -> None:
        """Make the private folder, and clear away what a killed server left in it."""
        try:
            self.folder.mkdir(mode=_PRIVATE, exist_ok=True)
            if os.geteuid() == 0:
                self._own()
            found = self.folder.lstat()
        except OSError as error:
            raise ServerError(
                f"The socket's folder {self.folder} cannot be made: {error.strerror}."
            ) from error
        if found.st_mode != stat.S_IFDIR | _PRIVATE or found.st_uid != self.owner:
            raise ServerError(
                f"{self.folder} should be a folder that only you can enter (mode 0700), but is not. "
                "Remove it, or set XDG_RUNTIME_DIR or TMPDIR to a private folder."
            )
        for name in (f".s.PGSQL.{self.port}", f".s.PGSQL.{self.port}.lock"):
            (self.folder / name).unlink(missing_ok=True)

    def conninfo(self, database: str) -> str:
        """The URI for libpq."""
        name, folder = quote(database, safe=""), quote(str(self.folder), safe="")
        return f"postgresql:///{name}?host={folder}&port={self.port}&user={ROLE}"

    def _own(self) -> None:
        # not followed: in a shared temporary folder the name may be somebody's link
        if self.folder.lstat().st_uid in (0, self.owner):
            os.chown(self.folder, self.owner, -1, follow_symlinks=False)


def new_endpoint(layout: Layout, account: Account) -> Endpoint:
    """The address for a server that is about to start."""
    if sys.platform == "win32":
        from djflow.backend.embedded.windows import new_port

        return new_port(layout.folder)
    # another user cannot enter our runtime folder
    environ = os.environ if account.drop_to is None else {}
    folder = socket_folder(layout.folder, account.owner, environ, tempfile.gettempdir())
    return SocketEndpoint(folder, account.owner)


def running_endpoint(layout: Layout, pid_file: PidFile, account: Account) -> Endpoint:
    """The address of a server that runs: its own word counts, since environments differ between clients."""
    if sys.platform == "win32":
        from djflow.backend.embedded.windows import PortEndpoint

        return PortEndpoint(layout.folder, pid_file.port)
    return SocketEndpoint(Path(pid_file.socket_folder), account.owner, pid_file.port)


def socket_folder(cluster: Path, owner: int, environ: Mapping[str, str], temporary: str) -> Path:
    """A folder for the socket whose path is short however long the cluster's is.

    >>> socket_folder(Path("/home/ada/x" * 50), 1000, {}, "/tmp").parent.name
    'tmp'
    """
    name = f"djflow-{owner}-{hashlib.sha256(os.fsencode(cluster)).hexdigest()[:16]}"
    for base in _runtime_folders(environ, temporary):
        fits = len(os.fsencode(base / name / f".s.PGSQL.{_PORT}.lock")) <= _LONGEST
        # libpq takes a comma for the end of one of several hosts
        if fits and "," not in str(base) and os.access(base, os.W_OK):
            return base / name
    raise ServerError(
        "No folder for the server's socket: "
        "set XDG_RUNTIME_DIR or TMPDIR to a writable folder with a short path."
    )


def _runtime_folders(environ: Mapping[str, str], temporary: str) -> Iterator[Path]:
    if runtime := environ.get("XDG_RUNTIME_DIR"):
        yield Path(runtime).absolute()
    yield Path(temporary).absolute()
    yield Path("/tmp")  # noqa: S108 - the folder below is private and checked
