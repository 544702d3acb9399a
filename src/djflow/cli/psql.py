"""psql on the database that is configured."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from djflow.errors import ServerError


def run_psql(conninfo: str, arguments: Sequence[str]) -> int:
    """Run psql and return its exit code; the password goes to it by the environment, which nobody else sees.

    Raises `ServerError` where there is no psql.
    """
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts: dict[str, Any] = conninfo_to_dict(conninfo)
    password = parts.pop("password", None)
    parts.pop("sslpassword", None)  # psql asks for it: there is no way to hand it over unseen
    environment = os.environ | ({"PGPASSWORD": str(password)} if password else {})
    command = [_program(), "--dbname", make_conninfo(**parts), *arguments]
    # Ctrl-C belongs to psql, which cancels a statement by it.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - a list, no shell
    finally:
        signal.signal(signal.SIGINT, before)


def _program() -> str:
    from djflow.backend.embedded.binaries import find_binaries

    here = shutil.which("psql")
    if here is None:
        here = shutil.which("psql", path=str(find_binaries(frozenset()).folder))
    if here is None:
        raise ServerError("There is no psql here.").suggest("Install the client programs of PostgreSQL.")
    return here
