"""The pure parts: settings, lock files, mount tables."""

from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.backend.embedded.cluster import render_settings
from djflow.backend.embedded.endpoints import socket_folder
from djflow.backend.embedded.filesystems import NETWORK_TYPES, check_local, filesystem_type, parse_mountinfo
from djflow.backend.embedded.pidfile import NO_PROCESS, PidFile, mark_stale, parse_pid_file
from djflow.backend.embedded.watcher import looks_like_server, serves
from djflow.errors import ConfigError

printable = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc"]))


def read_back(line: str) -> str:
    quoted = line.removesuffix("\n").partition(" = ")[2]
    assert (quoted[0], quoted[-1]) == ("'", "'")
    return quoted[1:-1].replace("''", "'").replace("\\\\", "\\")


@given(printable)
def test_a_setting_is_one_line_that_reads_back(value: str) -> None:
    text = render_settings({"djflow.note": value})
    assert text.count("\n") == 1
    assert read_back(text) == value


@pytest.mark.parametrize("value", ["a\nfsync = off", "\x00", "\r"])
def test_a_setting_cannot_smuggle_in_another(value: str) -> None:
    with pytest.raises(ConfigError):
        render_settings({"search_path": value})


@given(st.text())
def test_any_text_of_a_lock_file_is_read_or_left(text: str) -> None:
    assert parse_pid_file(text) is None or isinstance(parse_pid_file(text), PidFile)


def test_marking_a_lock_file_stale_keeps_what_guards_against_orphans(tmp_path: Path) -> None:
    path = tmp_path / "postmaster.pid"
    path.write_text("42\n/data\n17\n5432\n/run\n\n  1234  56\nready\n")
    mark_stale(path)
    assert path.read_text() == f"{NO_PROCESS}\n/data\n17\n5432\n/run\n\n  1234  56\nready\n"
    assert not serves(NO_PROCESS, tmp_path)


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "lustre"])
def test_a_folder_on_a_network_mount_is_recognised(kind: str) -> None:
    mounts = parse_mountinfo(
        f"22 1 8:1 / / rw - ext4 /dev/a rw\n31 22 0:27 / /home rw shared:1 - {kind} host:/h rw\n"
    )
    assert filesystem_type(mounts, PurePosixPath("/home/ada/.djflow")) in NETWORK_TYPES
    assert filesystem_type(mounts, PurePosixPath("/srv")) == "ext4"


def test_a_local_folder_passes(tmp_path: Path) -> None:
    check_local(tmp_path / "not" / "there")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300))
def test_the_socket_path_fits_however_long_the_home_or_the_temporary_folder(name: str) -> None:
    folder = socket_folder(
        Path("/home") / name, 0, {"XDG_RUNTIME_DIR": "/run/" + "x" * 90}, "/var/" + "y" * 90
    )
    assert len(str(folder / ".s.PGSQL.5432.lock")) <= 103


def process(folder: Path, stat: str) -> Path:
    folder.mkdir()
    (folder / "stat").write_text(stat)
    return folder


@pytest.mark.parametrize(
    ("stat", "expected"),
    [
        ("7 (postgres) S 1", True),
        ("7 (postgres) Z 1", False),
        ("7 (a) (postgres) S", False),
        ("7 (sh) S", False),
    ],
)
def test_a_process_that_hides_its_folder_is_judged_by_name_and_state(
    tmp_path: Path, stat: str, *, expected: bool
) -> None:
    assert looks_like_server(process(tmp_path / "7", stat), tmp_path) is expected
