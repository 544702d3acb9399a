import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer

# A client that prints the server's address and stays until its input ends.
_CLIENT = """
import sys
import tempfile
from pathlib import Path
from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings=FAST_UNSAFE_SETTINGS)
print(server.acquire(), flush=True)
sys.stdin.read()
"""

StartClient = Callable[[], "subprocess.Popen[str]"]


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sockets lie where they are removed after the test; pytest's own folders have too long paths."""
    with tempfile.TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home that does not exist yet; whatever serves it is stopped afterwards."""
    folder = tmp_path / "home"
    yield folder
    if folder.is_dir():
        EmbeddedServer(folder).stop()


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedServer]:
    """A server that is not started yet."""
    server = EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS)
    yield server
    server.release()


@pytest.fixture
def start_client(home: Path) -> Iterator[StartClient]:
    """Starts processes that use the home's server; all are ended afterwards."""
    clients: list[subprocess.Popen[str]] = []

    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", _CLIENT, str(home)]
        clients.append(
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
            )
        )
        return clients[-1]

    yield start
    for client in clients:
        client.kill()
        client.communicate()
