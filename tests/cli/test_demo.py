"""The demo as a new user runs it: in a process of its own, on an embedded server with an empty home."""

import os
import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from djflow.cli.demo import extra
from djflow.cli.demo.extra import MissingExtraError


def run_demo(
    folder: Path, *, command: str = "sys.exit(main(['demo']))"
) -> "subprocess.CompletedProcess[str]":
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DJ") and k != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-c", f"import sys; from djflow.cli import main; {command}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=inherited | {"DJFLOW_HOME": str(folder / "home"), "DJ_IGNORE_CONFIG_FILE": "true"},
    )


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG file, checked against their sums."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length) == (zlib.crc32(kind + body),)
        yield kind, body
        at += 12 + length


@pytest.mark.timeout(300)
def test_the_demo_computes_once_and_draws_what_it_found(tmp_path: Path) -> None:
    first = run_demo(tmp_path)
    assert first.returncode == 0, first.stderr
    assert "└── Detection  computed" in first.stdout
    assert "Image: computed 2 of 2 rows." in first.stdout
    assert "Detection: computed 6 of 6 rows." in first.stdout
    assert "100%" in first.stderr  # the progress bar
    assert "arning" not in first.stderr
    counts = {match[1]: int(match[2]) for match in re.finditer(r"│ (\w+ +┆ \w+) +┆ (\d+)", first.stdout)}
    assert len(counts) == 6
    assert all(counts.values())

    parts = list(chunks((tmp_path / "demo-output" / "blobs.png").read_bytes()))
    assert (parts[0][0], parts[-1][0]) == (b"IHDR", b"IEND")
    width, height = struct.unpack_from(">II", parts[0][1])
    assert 800 < width < 4000
    assert 400 < height < 4000

    second = run_demo(tmp_path)
    assert second.returncode == 0, second.stderr
    assert "Image: all 2 rows are there, nothing to compute." in second.stdout
    assert "Detection: all 6 rows are there, nothing to compute." in second.stdout
    assert second.stderr == ""
    assert summary_of(second.stdout) == summary_of(first.stdout)

    third = run_demo(tmp_path, command=f"exec({SUGGESTED!r})")
    assert third.returncode == 0, third.stderr


def summary_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("│")]


# What the demo's last words suggest to try.
SUGGESTED = """
from djflow.cli.demo import pipeline, show
code = show.NEXT.partition(":")[2].rpartition("Add a row")[0]
import textwrap
exec(textwrap.dedent(code.strip("\\n")))
assert 0 < len(Detection.Blob & Choice & "radius > 20") < len(Detection.Blob & Choice) < len(Detection.Blob)
assert Choice.to_dicts() == [
    {"photo": "hubble", "detector": "points"},
    {"photo": "nuclei", "detector": "discs"},
]
pipeline.Detector.insert1(("tiny", "dog", 2, 4, 0.4))
show.populate(pipeline.Detection())
assert pipeline.Detection.progress() == (0, 8)
"""


def test_the_extra_s_requirements_come_from_the_package_s_metadata() -> None:
    assert {"mahotas", "matplotlib", "scikit-image"} == {
        re.split(r"[<>=!~ ]", requirement)[0] for requirement in extra.requirements("demo")
    }


def test_nothing_is_missing_where_everything_is_installed() -> None:
    assert extra.missing_requirements("demo") == []


@pytest.mark.parametrize("requirement", ["no-such-package>=1", "no_such_package", "no-such-package[all] ; x"])
def test_a_package_that_is_not_installed_is_missing(
    requirement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extra, "requirements", lambda _extra: [requirement, "polars>=1"])
    assert extra.missing_requirements("demo") == [requirement]


def test_where_pip_fails_the_error_tells_the_command_to_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extra, "requirements", lambda _extra: ["./no such folder"])
    with pytest.raises(MissingExtraError) as caught:
        extra.install("demo")
    assert caught.value.command == f"{sys.executable} -m pip install './no such folder'"
    assert caught.value.command in "".join(caught.value.__notes__)
    assert capfd.readouterr().out == ""


def test_where_pip_cannot_be_started_the_error_tells_the_command_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(MissingExtraError, match=r"djflow\[demo\] could not be installed") as caught:
        extra.install("demo")
    assert "-m pip install" in caught.value.command


@pytest.mark.skipif(find_spec("pip") is None, reason="this environment has no pip")
def test_what_is_installed_already_installs_without_a_word_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extra, "requirements", lambda _extra: ["pip"])
    extra.install("demo")
    assert capfd.readouterr().out == ""
