"""Only the owner reaches the server."""

import contextlib
import os
import pwd
import stat
import subprocess
from pathlib import Path

import psycopg
import pytest

from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
from djflow.backend.embedded.commands import Account
from djflow.backend.embedded.endpoints import SocketEndpoint
from djflow.errors import ServerError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_the_server_listens_on_no_port_even_if_settings_ask_for_one(home: Path) -> None:
    settings = {**FAST_UNSAFE_SETTINGS, "listen_addresses": "*"}
    server = EmbeddedServer(home, settings=settings)
    with server, contextlib.closing(psycopg.connect(server.acquire())) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_the_socket_lies_in_a_folder_that_only_its_owner_may_enter(server: EmbeddedServer) -> None:
    server.acquire()
    folder = server.status().socket_folder
    assert folder is not None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert folder.stat().st_uid == os.geteuid()


@as_root
def test_another_user_cannot_connect(server: EmbeddedServer) -> None:
    uri = server.acquire()
    psql = str(server.status().binaries / "psql")
    nobody = pwd.getpwnam("nobody").pw_uid
    try:
        subprocess.run([psql, "--version"], user=nobody, cwd="/", check=True)
    except PermissionError:
        pytest.skip("the other user cannot even run a client")
    command = [psql, uri, "-c", "SELECT 1"]
    assert subprocess.run(command, cwd="/", check=False).returncode == 0
    done = subprocess.run(command, user=nobody, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


@as_root
def test_a_socket_folder_that_another_user_has_made_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "socket"
    folder.mkdir(mode=0o700)
    os.chown(folder, pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(ServerError, match="only you can enter"):
        SocketEndpoint(folder, owner=0).prepare()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777])
def test_a_socket_folder_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "socket"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ServerError, match="mode 0700"):
        SocketEndpoint(folder, owner=os.geteuid()).prepare()


def test_a_link_in_place_of_the_socket_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir(mode=0o700)
    (tmp_path / "socket").symlink_to(tmp_path / "target")
    with pytest.raises(ServerError, match="only you can enter"):
        SocketEndpoint(tmp_path / "socket", owner=os.geteuid()).prepare()


def test_root_needs_no_change_of_owner_where_namespaces_work(server: EmbeddedServer) -> None:
    server.acquire()
    assert (server.status().folder / "data").stat().st_uid == os.geteuid()
    assert Account(owner=0).process_options() == {}
