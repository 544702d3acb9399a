"""What is different on Windows: no Unix sockets for libpq's drivers, no `flock`, no inherited locks.

The server listens on a random port of the loopback address and asks for a password, which lies in the
cluster's folder. Shared locks are made of byte ranges: a client locks one byte, the watcher all of them.
"""

import os
import random
import secrets
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

ROLE: Final = "djflow"
_LOOPBACK: Final = "127.0.0.1"
_CLIENTS: Final = 1 << 20  # bytes in the locked range: more than there can be clients


@dataclass(frozen=True, slots=True)
class PortEndpoint:
    """A port of the loopback address; the password stays in its file, out of every representation."""

    folder: Path
    port: int

    @property
    def password_file(self) -> Path:
        """A file with the role's password."""
        return self.folder / "data.password"

    def settings(self) -> dict[str, str]:
        """TCP on the loopback address only."""
        return {
            "listen_addresses": _LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
        }

    def access_rules(self) -> str:
        """Everybody proves to know the password."""
        return f"host all all {_LOOPBACK}/32 scram-sha-256\n"

    def initdb_options(self) -> list[str]:
        """The password of the one role."""
        return ["--auth=scram-sha-256", f"--pwfile={self.password_file}"]

    def prepare(self) -> None:
        """Choose a password, once."""
        if not self.password_file.exists():
            descriptor = os.open(self.password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(32))

    def conninfo(self, database: str) -> str:
        """The URI for libpq, with the password: not to be shown."""
        password = quote(self.password_file.read_text(encoding="ascii").strip(), safe="")
        name = quote(database, safe="")
        return f"postgresql://{ROLE}:{password}@{_LOOPBACK}:{self.port}/{name}"


def new_port(folder: Path) -> PortEndpoint:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        return PortEndpoint(folder, probe.getsockname()[1])


def try_exclusive(descriptor: int) -> bool:
    """Lock the whole range; False if anybody has a byte of it."""
    return _try(descriptor, 0, _CLIENTS)


def try_shared(descriptor: int) -> bool:
    """Lock one byte of the range; False if somebody has it, or all of them."""
    return _try(descriptor, random.randrange(_CLIENTS), 1)  # noqa: S311 - spreads clients, hides nothing


def unlock(descriptor: int) -> None:
    """Unlock what `try_exclusive` has locked."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, _CLIENTS)


def start_watcher(users_lock: Path, stop_command: list[str]) -> None:
    """Start a detached watcher; several watchers of one cluster do no harm."""
    if sys.platform == "win32":
        flags = subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
        command = [sys.executable, "-m", __spec__.name, str(users_lock), *stop_command]
        subprocess.Popen(command, creationflags=flags, close_fds=True)  # noqa: S603 - a list, never a shell


def watch(users_lock: Path, stop_command: list[str]) -> None:
    """Wait until no client is left, and stop the server."""
    with users_lock.open("r+b") as users:
        while not try_exclusive(users.fileno()):
            time.sleep(0.1)
        subprocess.run(stop_command, check=False, capture_output=True)  # noqa: S603 - a list, never a shell
        unlock(users.fileno())


def _try(descriptor: int, offset: int, length: int) -> bool:
    if sys.platform != "win32":
        return False
    import msvcrt

    os.lseek(descriptor, offset, os.SEEK_SET)
    try:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, length)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    watch(Path(sys.argv[1]), sys.argv[2:])
