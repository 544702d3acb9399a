"""Where one cluster keeps its files."""

import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one cluster; `folder` is absolute.

    >>> Layout(Path("/home/ada/.djflow/pg18")).data.name
    'data'
    """

    folder: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's data folder; it exists only complete."""
        return self.folder / "data"

    def new_staging(self) -> Path:
        """Where an `initdb` works; renamed to `data` when it has succeeded.

        Each attempt has a folder of its own: the processes of a killed one may still write to theirs.
        """
        return self.folder / f"data.init-{secrets.token_hex(4)}"

    def abandoned(self) -> list[Path]:
        """What interrupted attempts left behind."""
        return list(self.folder.glob("data.init*"))

    @property
    def start_lock(self) -> Path:
        """Held exclusively by the one process that looks at, starts or stops the server."""
        return self.folder / "data.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by all clients; whoever holds it exclusively knows that there are none."""
        return self.folder / "data.users"

    @property
    def watcher_lock(self) -> Path:
        """Held by the watcher as long as it lives."""
        return self.folder / "data.watcher"

    @property
    def log(self) -> Path:
        """What PostgreSQL says."""
        return self.folder / "data.log"

    @property
    def pid_file(self) -> Path:
        """PostgreSQL's own lock file, with its process and its address."""
        return self.data / "postmaster.pid"


def known_majors(home: Path) -> frozenset[int]:
    """The major versions of which `home` holds a cluster."""
    found = (version.parent.parent.name for version in home.glob("pg*/data/PG_VERSION"))
    return frozenset(int(name[2:]) for name in found if name[2:].isdecimal())
