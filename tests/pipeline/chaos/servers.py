"""Servers and programs that can be killed, and started again where they were."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from djflow.backend.embedded import EmbeddedServer
from djflow.testing import s3_server
from djflow.testing.s3_server import S3Server

PATIENCE: Final = 120.0  # seconds, on a machine that does much else


class Victim(Protocol):
    """What is killed, and comes again."""

    def start(self) -> None: ...

    def kill(self) -> None: ...


class Postgres:
    """A server of its own, which keeps what it has committed, whatever happens to its processes."""

    def __init__(self, home: Path) -> None:
        self._server = EmbeddedServer(home, settings={"fsync": "off"})

    def start(self) -> None:
        self._server.acquire()

    def kill(self) -> None:
        """As `pg_ctl stop -m immediate`: it ends without a word, and recovers when it is started again."""
        pid = self._server.status().pid
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
            wait_for(lambda: self._server.status().pid is None)

    def close(self) -> None:
        self._server.stop()
        self._server.release()

    def environment(self) -> dict[str, str]:
        """How programs find it, as one that is not theirs to start."""
        folder = self._server.status().socket_folder
        return {"DJ_HOST": str(folder), "DJ_USER": "djflow", "DJ_DATABASE_NAME": "djflow"}


class ObjectStore:
    """A server of S3 that keeps its address, its keys and its objects."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self._home, self._log = home, home / "server.log"
        self.endpoint, self._command = S3Server(home)._command()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        keys = {
            "AWS_ACCESS_KEY_ID": self.endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": self.endpoint.secret_key,
        }
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **keys, "GOMEMLIMIT": "200MiB"},
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        s3_server._wait(self.endpoint, self._process, self._log)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    close = kill

    def environment(self) -> dict[str, str]:
        """How programs find it."""
        spec = {
            "protocol": "s3",
            "location": "chaos",
            "endpoint": self.endpoint.address,
            "bucket": self.endpoint.bucket,
            "secure": False,
            "access_key": self.endpoint.access_key,
            "secret_key": self.endpoint.secret_key,
        }
        return {"DJ_STORES": json.dumps({"default": "main", "main": spec})}


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so, which is only a matter of time."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
