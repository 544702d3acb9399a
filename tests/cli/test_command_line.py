import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import djflow as dj
from djflow import __version__
from djflow.backend.embedded import EmbeddedServer
from djflow.backend.embedded.locks import claim
from djflow.cli import main
from djflow.cli.command_line import build_parser
from djflow.cli.completion import words_of
from djflow.errors import ConfigError

HEAVY = {
    "adbc_driver_manager",
    "matplotlib",
    "numpy",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow",
    "sqlglot",
    "zarr",
}


def djflow(*arguments: str, home: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DJ") and k != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-c", "import sys; from djflow.cli import main; sys.exit(main())", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=inherited | {"DJFLOW_HOME": str(home / "home"), "DJ_IGNORE_CONFIG_FILE": "true"} | environment,
    )


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"djflow {__version__}\n"


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "demo" in shown
    assert "db" in shown


def test_help_loads_nothing_heavy() -> None:
    script = """
import json, sys
from djflow.cli.command_line import build_parser
build_parser().format_help()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert HEAVY.isdisjoint(json.loads(done.stdout))


@pytest.mark.parametrize("arguments", [[], ["db"], ["dmeo"], ["db", "strat"]])
def test_a_command_line_that_means_nothing_is_refused_with_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2
    assert "usage: djflow" in capsys.readouterr().err


def test_an_error_is_a_message_and_advice_without_a_traceback(tmp_path: Path) -> None:
    done = djflow("db", "url", home=tmp_path, DATABASE_URL="postgresql://ann:s3cret@db.lab.org/lab")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("djflow: The configuration names the server ann@db.lab.org:5432/lab")
    assert "Unset DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_debug_raises_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://somewhere")
    with pytest.raises(ConfigError):
        main(["--debug", "db", "status"])


def test_the_server_is_kept_up_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> str:
        assert main(["db", *arguments]) == 0
        return capfd.readouterr().out

    for variable in [name for name in os.environ if name.startswith("DJ") or name == "DATABASE_URL"]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("DJFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DJ_IGNORE_CONFIG_FILE", "true")
    monkeypatch.chdir(tmp_path)
    dj.conn().close()
    dj.config.clear()
    try:
        assert told("status").startswith("state:     stopped\nversion:   PostgreSQL ")
        address = told("start")
        assert address.startswith("postgresql://")
        assert ":" not in address.partition("://")[2].partition("@")[0]
        assert told("status").startswith("state:     running, process ")
        assert told("start") == told("url") == address
        assert told("shell", "-c", "SELECT 6 * 7", "--", "--tuples-only").strip() == "42"
        assert main(["db", "shell", "-c", "SELEKT"]) == 1
        assert_run_ends_with_ctrl_c(tmp_path, address)
        dj.conn().close()
        assert told("stop") == "The embedded server is stopped.\n"
        assert told("stop") == "The embedded server was not running.\n"
    finally:
        dj.conn().close()
        EmbeddedServer(tmp_path / "home").stop()
        monkeypatch.undo()
        dj.config.clear()
    assert_ends(tmp_path / "home" / "keeper.lock")


def assert_run_ends_with_ctrl_c(folder: Path, address: str) -> None:
    command = [sys.executable, "-m", "djflow", "db", "run"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == address
        with psycopg.connect(address.strip()) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors


def assert_ends(lock: Path) -> None:
    """The process that holds a lock ends soon."""
    deadline = time.monotonic() + 60
    while (descriptor := claim(lock)) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.close(descriptor)


def test_status_says_when_another_server_is_configured(tmp_path: Path) -> None:
    done = djflow("db", "status", home=tmp_path, DJ_HOST="db.lab.org", DJ_USER="ann", DJ_PASS="s3cret")
    assert "not used: the configuration names ann@db.lab.org:5432/postgres" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_who_reads_no_further_hears_no_complaint(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = subprocess.run(
            [sys.executable, "-m", "djflow", "completion", "bash"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_ctrl_c_is_told_by_the_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("djflow.cli.places.chosen", interrupted)
    assert main(["query", "Session"]) == 130
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "\nInterrupted.\n")


def test_every_command_and_option_has_a_help_text() -> None:
    known = list(words_of(build_parser()))
    assert [words.path for words in known if not all(map(str.strip, words.options.values()))] == []
    assert [words.path for words in known if not all(map(str.strip, words.commands.values()))] == []
