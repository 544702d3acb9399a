"""What kills servers: signals, power cuts, reused process ids, full disks, strange folders."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer, accounts
from djflow.backend.embedded import server as server_module
from djflow.errors import ConfigError, DiskFullError, ServerError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs the rights of root")


def scalar(uri: str, query: str) -> object:
    with contextlib.closing(psycopg.connect(uri, autocommit=True)) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def execute(uri: str, statement: str) -> None:
    with contextlib.closing(psycopg.connect(uri, autocommit=True)) as connection:
        connection.execute(statement)


def kill_postmaster(server: EmbeddedServer) -> None:
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


def test_committed_rows_survive_a_killed_postmaster(home: Path) -> None:
    with EmbeddedServer(home) as server:
        uri = server.acquire()
        with contextlib.closing(psycopg.connect(uri)) as open_session:
            open_session.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000) AS x")
            open_session.commit()
            open_session.execute("INSERT INTO kept VALUES (-1)")
            kill_postmaster(server)
            assert scalar(server.acquire(), "SELECT count(*) FROM kept") == 1000


def test_a_server_killed_with_its_client_is_recovered_by_the_next(home: Path) -> None:
    server = EmbeddedServer(home)
    execute(server.acquire(), "CREATE TABLE kept AS SELECT 7 AS x")
    kill_postmaster(server)
    server.release()
    with EmbeddedServer(home) as second:
        assert scalar(second.acquire(), "SELECT x FROM kept") == 7


def crash(server: EmbeddedServer) -> Path:
    """Leave a home as a power cut does: no process, but a lock file."""
    server.acquire()
    pid_file = server.status().folder / "data" / "postmaster.pid"
    text = pid_file.read_text()
    server.stop()
    server.release()
    pid_file.write_text(text)
    return pid_file


def replace_pid(pid_file: Path, pid: int) -> None:
    rest = pid_file.read_text().partition("\n")[2]
    pid_file.write_text(f"{pid}\n{rest}")


def test_a_lock_file_that_names_another_living_program_is_overruled(server: EmbeddedServer) -> None:
    replace_pid(crash(server), os.getppid())
    assert scalar(server.acquire(), "SELECT 1") == 1


def test_a_lock_file_that_names_a_zombie_is_overruled(server: EmbeddedServer) -> None:
    pid_file = crash(server)
    with subprocess.Popen([sys.executable, "-c", ""]) as zombie:
        while "State:\tZ" not in Path(f"/proc/{zombie.pid}/status").read_text():
            time.sleep(0.01)
        replace_pid(pid_file, zombie.pid)
        assert scalar(server.acquire(), "SELECT 1") == 1


def test_a_program_that_got_a_dead_servers_process_id_is_not_stopped(
    server: EmbeddedServer, home: Path
) -> None:
    with subprocess.Popen(["sleep", "60"]) as innocent:
        replace_pid(crash(server), innocent.pid)
        assert not server.stop()
        with contextlib.suppress(ServerError):
            EmbeddedServer(home, settings={"shared_buffers": "many"}).acquire()
        time.sleep(0.5)
        assert innocent.poll() is None
        innocent.kill()


@pytest.mark.parametrize("text", ["", "nonsense\n", "12"])
def test_a_broken_lock_file_is_overruled(server: EmbeddedServer, text: str) -> None:
    crash(server).write_text(text)
    assert scalar(server.acquire(), "SELECT 1") == 1


def test_a_server_whose_socket_was_cleaned_away_is_restarted(server: EmbeddedServer) -> None:
    execute(server.acquire(), "CREATE TABLE kept AS SELECT 7 AS x")
    folder = server.status().socket_folder
    assert folder is not None
    shutil.rmtree(folder)
    assert scalar(server.acquire(), "SELECT x FROM kept") == 7


def test_clients_with_different_runtime_folders_meet(
    server: EmbeddedServer, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = server.acquire()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with EmbeddedServer(home) as other:
        assert other.acquire() == uri


def test_an_interrupted_first_start_is_done_anew(server: EmbeddedServer) -> None:
    staging = server.status().folder / "data.init"
    staging.mkdir(parents=True)
    (staging / "half").touch()
    assert scalar(server.acquire(), "SELECT 1") == 1
    assert not staging.exists()


def test_a_start_killed_half_way_does_not_harm_the_next(server: EmbeddedServer, home: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from djflow.backend.embedded import EmbeddedServer;"
        "EmbeddedServer(Path(sys.argv[1])).acquire()"
    )
    for seconds in (0.2, 0.5, 0.8):
        with subprocess.Popen([sys.executable, "-c", script, str(home)]) as starter:
            time.sleep(seconds)
            starter.kill()
    assert scalar(server.acquire(), "SELECT 1") == 1


@pytest.mark.parametrize("name", ["with space", "ü $HOME `x` 'q' \"d\"", "/".join(["long" * 25] * 3)])
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedServer(tmp_path / name, settings=FAST_UNSAFE_SETTINGS) as server:
        assert scalar(server.acquire(), "SELECT 1") == 1


def test_a_runtime_folder_with_spaces_and_quotes_will_do(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory(prefix="a 'b' \"c\" %41 ") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        assert scalar(server.acquire(), "SELECT 1") == 1
        assert str(server.status().socket_folder).startswith(folder)
        server.stop()


def test_variables_of_libpq_do_not_divert_the_server(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PGPORT": "1", "PGHOST": "nowhere", "PGUSER": "x", "PGDATABASE": "x"}.items():
        monkeypatch.setenv(name, value)
    assert scalar(server.acquire(), "SELECT current_user") == "djflow"


def test_a_home_below_a_file_is_refused_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerError, match=r"file.*cannot be used.*Choose a home"):
        EmbeddedServer(tmp_path / "file" / "home").acquire()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc takes no folders")
def test_a_home_that_cannot_be_written_is_refused_with_its_path() -> None:
    with pytest.raises(ServerError, match=r"/proc/home.*Choose a home"):
        EmbeddedServer(Path("/proc/home")).acquire()


def test_a_foreign_data_folder_is_left_alone(server: EmbeddedServer) -> None:
    data = server.status().folder / "data"
    data.mkdir(parents=True)
    (data / "precious").touch()
    with pytest.raises(ServerError, match="not a PostgreSQL data folder"):
        server.acquire()
    assert (data / "precious").exists()


def test_an_impossible_setting_is_named_with_the_servers_words(home: Path) -> None:
    with pytest.raises(ServerError, match=r"shared_buffers"):
        EmbeddedServer(home, settings={"shared_buffers": "many"}).acquire()
    with pytest.raises(ConfigError, match="shared buffers"):
        EmbeddedServer(home, settings={"shared buffers": "1MB"}).acquire()


def test_a_failed_start_leaves_no_client_behind(home: Path) -> None:
    broken = EmbeddedServer(home, settings={**FAST_UNSAFE_SETTINGS, "shared_buffers": "many"})
    with pytest.raises(ServerError):
        broken.acquire()
    with EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS) as server:
        assert scalar(server.acquire(), "SELECT 1") == 1
    while server.status().running:
        time.sleep(0.02)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB, less than a cluster needs."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@as_root
def test_a_full_disk_is_told_and_leaves_nothing_half_made(tiny_disk: Path) -> None:
    server = EmbeddedServer(tiny_disk / "home")
    with pytest.raises(DiskFullError, match="disk is full"):
        server.acquire()
    folder = server.status().folder
    assert not (folder / "data").exists()
    assert not (folder / "data.init").exists()


@pytest.fixture
def reachable_home() -> Iterator[Path]:
    """A home that every user may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"


@as_root
def test_without_user_namespaces_root_runs_the_server_as_nobody(
    reachable_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "namespace_account", lambda: None)
    server = EmbeddedServer(reachable_home, settings=FAST_UNSAFE_SETTINGS)
    execute(server.acquire(), "CREATE TABLE kept AS SELECT 7 AS x")
    pid = server.status().pid
    assert Path(f"/proc/{pid}").stat().st_uid != 0
    server.release()
    while server.status().running:
        time.sleep(0.02)
    monkeypatch.undo()
    with EmbeddedServer(reachable_home, settings=FAST_UNSAFE_SETTINGS) as again:
        assert scalar(again.acquire(), "SELECT x FROM kept") == 7
        again.stop()


@as_root
def test_a_cluster_moves_between_the_two_ways_that_root_has(
    reachable_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = {"namespace_account": "nobody_account", "nobody_account": "namespace_account"}
    for kept, forbidden in [*ways.items(), *ways.items()]:
        with monkeypatch.context() as patch, EmbeddedServerUnder(patch, forbidden, reachable_home) as server:
            execute(server.acquire(), f"CREATE TABLE IF NOT EXISTS {kept} (x int)")
            assert scalar(server.acquire(), f"SELECT count(*) FROM {kept}") == 0
            server.stop()


@contextlib.contextmanager
def EmbeddedServerUnder(  # noqa: N802 - reads as a class
    patch: pytest.MonkeyPatch, forbidden: str, home: Path
) -> Iterator[EmbeddedServer]:
    patch.setattr(accounts, forbidden, lambda: None)
    with EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS) as server:
        yield server


# Imports first: the new user may not be able to read the environment. Any Python runs the watcher.
_AS_USER = """
import os, sys, time, shutil
from pathlib import Path
import psycopg
from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings=FAST_UNSAFE_SETTINGS)
sys.executable = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
with server, psycopg.connect(server.acquire()) as connection:
    connection.execute("SELECT 1")
while server.status().running:
    time.sleep(0.02)
"""


@as_root
@pytest.mark.parametrize("user", [54321, 65534], ids=["without a name", "with a name"])
def test_an_ordinary_user_runs_a_server(reachable_home: Path, user: int) -> None:
    reachable_home.mkdir()
    os.chown(reachable_home, user, -1)
    subprocess.run([sys.executable, "-c", _AS_USER, str(reachable_home), str(user)], check=True, cwd="/")
    assert next(reachable_home.glob("pg*")).stat().st_uid == user


@as_root
def test_root_does_not_take_over_the_cluster_of_a_user(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    folder = server.status().folder
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(ServerError, match="belongs to the user with id 12345"):
        server.acquire()


def test_a_network_file_system_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise ServerError(f"{folder} is on a network file system (nfs4)")

    monkeypatch.setattr(server_module, "check_local", refuse)
    with pytest.raises(ServerError, match="network file system"):
        EmbeddedServer(home).acquire()
    assert not home.exists()
