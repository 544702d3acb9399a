"""`djflow init` makes a project that works at once, and spoils none."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from djflow.cli import main
from djflow.configuration import load


def test_a_new_project_passes_its_own_test_and_keeps_its_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", "my_lab"]) == 0
    project = tmp_path / "my_lab"
    listed = capsys.readouterr().out.splitlines()
    assert {tmp_path / path for path in listed} == {path for path in project.rglob("*") if path.is_file()}
    if os.name == "posix":
        assert stat.S_IMODE((project / ".secrets").stat().st_mode) == 0o700
        assert stat.S_IMODE((project / ".secrets" / "database.password").stat().st_mode) == 0o600
    assert ".secrets/" in (project / ".gitignore").read_text()
    assert load({}, project).display.limit == 12

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env={**os.environ, "DATABASE_URL": "postgresql://nobody@nowhere.invalid/no"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_nothing_that_exists_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for existing in ("tests/test_pipeline.py", ".secrets/database.user"):
        folder = tmp_path / existing.partition("/")[0].strip(".")
        (folder / existing).parent.mkdir(parents=True)
        (folder / existing).write_text("mine")
        before = sorted(folder.rglob("*"))
        assert main(["init", "my_lab", "--in", str(folder)]) == 1
        assert "exists, and is left as it is" in capsys.readouterr().err
        assert sorted(folder.rglob("*")) == before
        assert (folder / existing).read_text() == "mine"


@pytest.mark.parametrize("name", ["My-Lab", "class", "djflow", "../up", "", "1st"])
def test_what_is_no_name_of_a_package_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init", name]) == 1
    assert "cannot be the name of a package" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
