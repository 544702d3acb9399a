"""Stores on S3 whose server, network or settings are bad."""

import multiprocessing
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from pickle import dumps
from typing import Any

import numpy as np
import pytest

from djflow.configuration import FrozenMapping, StoreSettings
from djflow.configuration.secret import Secret
from djflow.errors import BucketInaccessible, MissingExternalFile
from djflow.storage.registry import open_store
from djflow.storage.remote.store import RemoteStore
from djflow.storage.store import Store
from djflow.testing.s3_server import S3Endpoint, S3Server

BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\n"
    b"Content-Length: 64\r\nConnection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message>Slow down</Message></Error>"
)


class Network(socketserver.ThreadingTCPServer):
    """Passes requests on to a server, each third of them not as it should."""

    daemon_threads = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        host, _, port = target.partition(":")
        self.target = (host, int(port))
        self.requests = count(1)
        self.fault = "busy"
        self.every = 3
        self.faults = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def is_good(self) -> bool:
        good = next(self.requests) % self.every != 0
        self.faults += not good
        return good


class Request(socketserver.StreamRequestHandler):
    server: Network

    def handle(self) -> None:
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        if not head:
            return
        lines = [
            line
            for line in head.splitlines(keepends=True)
            if not line.lower().startswith((b"expect:", b"connection:"))
        ]
        if b"expect:" in head.lower():
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        lengths = [line for line in lines if line.lower().startswith(b"content-length:")]
        body = self.rfile.read(int(lengths[0].split(b":")[1])) if lengths else b""
        good = self.server.is_good()
        if good or self.server.fault == "short":
            answer = self.ask(b"".join(lines) + b"Connection: close\r\n\r\n" + body)
            head, mark, content = answer.partition(b"\r\n\r\n")
            self.wfile.write(answer if good else head + mark + content[: len(content) // 2])
        elif self.server.fault == "busy":
            self.wfile.write(BUSY)

    def ask(self, request: bytes) -> bytes:
        with socket.create_connection(self.server.target) as upstream:
            upstream.sendall(request)
            return b"".join(iter(lambda: upstream.recv(1 << 16), b""))


@pytest.fixture
def network(s3_endpoint: S3Endpoint) -> Iterator[Network]:
    with Network(s3_endpoint.address) as network:
        thread = threading.Thread(target=network.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield network
        network.shutdown()
        thread.join()


@pytest.fixture
def shaken(network: Network, s3_endpoint: S3Endpoint) -> Store:
    return open_store(replace(s3_endpoint, address=network.address).settings())


@pytest.mark.parametrize("fault", ["busy", "reset", "short"])
def test_a_bad_network_is_not_seen(fault: str, network: Network, shaken: Store, tmp_path: Path) -> None:
    network.fault = fault
    data = bytes(range(256)) * 64
    (tmp_path / "source").write_bytes(data)
    shaken.put("folder/a", data)
    shaken.put_file("folder/b", tmp_path / "source")
    assert shaken.get("folder/a") == data
    shaken.get_file("folder/b", tmp_path / "target")
    assert (tmp_path / "target").read_bytes() == data
    with shaken.open("folder/a") as file:
        file.seek(256)
        assert file.read(512) == data[:512]
    assert {file.path for file in shaken.list("folder")} == {"folder/a", "folder/b"}
    shaken.remove("folder")
    assert not shaken.exists("folder")
    assert network.faults > 2


def test_a_zarr_array_is_written_over_a_bad_network(network: Network, shaken: Store) -> None:
    import zarr

    array = zarr.create_array(
        shaken.zarr_store("a.zarr", read_only=False), shape=(6,), chunks=(2,), dtype="i4"
    )
    array[:] = range(6)
    again = zarr.open_array(shaken.zarr_store("a.zarr", read_only=True), mode="r")
    assert again[:].tolist() == list(range(6))  # type: ignore[union-attr]
    assert network.faults > 2


def test_a_server_that_is_always_busy_is_given_up(network: Network, shaken: RemoteStore) -> None:
    network.every = 1
    quick = replace(shaken, retry=replace(shaken.retry, attempts=2, first=0.01))
    with pytest.raises(BucketInaccessible, match="again and again at 'a'"):
        quick.put("a", b"x")
    assert 2 <= network.faults <= 8


def operations(store: Store) -> list[object]:
    def create() -> None:
        with store.create("new") as file:
            file.write(b"x")

    return [
        lambda: store.put("a", b"x"),
        lambda: store.get("a"),
        lambda: store.open("a"),
        lambda: store.size("a"),
        lambda: list(store.list("")),
        lambda: list(store.list("folder")),
        create,
    ]


def refused(store: Store) -> list[BucketInaccessible]:
    errors = []
    for operation in operations(store):
        with pytest.raises(BucketInaccessible) as caught:
            operation()  # type: ignore[operator]
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize("wrong", ["access_key", "secret_key"])
def test_wrong_credentials_are_refused_and_not_shown(wrong: str, s3_endpoint: S3Endpoint) -> None:
    options: dict[str, Any] = {wrong: Secret("tr0ub4dor")}
    store = open_store(s3_endpoint.settings(**options))
    for error in refused(store):
        assert "refuses access" in str(error)
        for secret in ("tr0ub4dor", s3_endpoint.secret_key):
            assert secret not in f"{error} {error.__notes__} {error.__cause__!r}"


def test_credentials_that_are_nowhere_are_refused(
    s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    store = open_store(s3_endpoint.settings(access_key="", secret_key=""))
    with pytest.raises(BucketInaccessible, match="refuses access"):
        store.get("a")


def test_an_absent_bucket_is_told_from_an_absent_object(s3_endpoint: S3Endpoint) -> None:
    store = open_store(replace(s3_endpoint, bucket="no-such-bucket").settings(location="lab"))
    for error in refused(store):
        assert "store 's3' at s3://no-such-bucket/lab" in str(error)
    with pytest.raises(MissingExternalFile, match="'a' is not in store 's3'"):
        open_store(s3_endpoint.settings()).get("a")


def test_an_endpoint_where_nobody_listens_is_told_soon(s3_endpoint: S3Endpoint) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
    store = open_store(replace(s3_endpoint, address=address).settings())
    began = time.monotonic()
    with pytest.raises(BucketInaccessible, match="cannot be reached"):
        store.get("a")
    with pytest.raises(BucketInaccessible, match="cannot be reached"):
        store.put("a", b"x")
    assert time.monotonic() - began < 60  # seconds: a hang would take minutes


def test_zarr_tells_refusals_by_the_same_errors(s3_endpoint: S3Endpoint) -> None:
    import zarr

    store = open_store(s3_endpoint.settings(secret_key=Secret("wrong")))
    with pytest.raises(BucketInaccessible, match="refuses access") as caught:
        zarr.create_array(store.zarr_store("a.zarr", read_only=False), shape=(2,), dtype="i4")
    assert "Authorization" not in f"{caught.value} {caught.value.__cause__!r}"


def test_large_files_travel_in_parts(s3_endpoint: S3Endpoint, tmp_path: Path) -> None:
    store = open_store(s3_endpoint.settings())
    piece = bytes(range(256)) * (1 << 12)
    with store.create("large") as file:
        for _ in range(21):
            file.write(piece)
    assert store.size("large") == 21 << 20
    store.get_file("large", tmp_path / "copy")
    with (tmp_path / "copy").open("rb") as file:
        assert all(file.read(1 << 20) == piece for _ in range(21))


def test_a_store_that_was_pickled_serves_another_process(s3_endpoint: S3Endpoint) -> None:
    store = open_store(s3_endpoint.settings())
    store.put("a", b"from here")
    code = "import pickle, sys; print(pickle.load(sys.stdin.buffer).get('a'))"
    done = subprocess.run([sys.executable, "-c", code], input=dumps(store), capture_output=True, check=True)
    assert done.stdout.strip() == b"b'from here'"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_opens_a_connection_of_its_own(s3_endpoint: S3Endpoint) -> None:
    import zarr

    store = open_store(s3_endpoint.settings())
    store.put("a", b"before")
    array = zarr.create_array(store.zarr_store("a.zarr", read_only=False), shape=(3,), dtype="i4")
    array[:] = [1, 2, 3]
    context = multiprocessing.get_context("fork")
    results = context.Queue()

    def use() -> None:
        results.put((store.get("a"), np.asarray(array[:]).tolist()))
        store.put("b", b"from there")

    process = context.Process(target=use)
    process.start()
    assert results.get(timeout=60) == (b"before", [1, 2, 3])
    process.join()
    assert store.get("b") == b"from there"


def test_the_server_ends_with_its_last_user(tmp_path: Path) -> None:
    first, second = S3Server(tmp_path / "s3"), S3Server(tmp_path / "s3")
    endpoint = first.acquire()
    assert second.acquire() == endpoint
    first.release()
    open_store(endpoint.settings()).put("a", b"x")
    second.release()
    assert is_gone(endpoint.address)


def test_the_server_ends_when_its_user_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys; from djflow.testing.s3_server import S3Server;"
        "print(S3Server(pathlib.Path(sys.argv[1])).acquire().address, flush=True);"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "s3"], capture_output=True, check=False)
    assert is_gone(done.stdout.decode().strip())
    assert not (tmp_path / "s3" / "ready.json").exists()


def is_gone(address: str) -> bool:
    host, _, port = address.partition(":")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) != 0:
                return True
        time.sleep(0.05)
    return False


def test_settings_from_a_file_open_a_store(s3_endpoint: S3Endpoint) -> None:
    spec = s3_endpoint.settings().revealed()
    assert spec["secure"] is False
    options = {name: spec[name] for name in ("endpoint", "bucket", "access_key", "secret_key")}
    text = StoreSettings("main", "s3", "lab", options=FrozenMapping({**options, "secure": "false"}))
    store = open_store(text)
    store.put("a", b"x")
    assert store.get("a") == b"x"
