import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from djflow import __version__
from djflow.cli import main
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


def test_status_starts_nothing_and_url_gives_an_address_without_a_password(tmp_path: Path) -> None:
    before = djflow("db", "status", home=tmp_path)
    assert before.stdout.startswith("state:     stopped\nversion:   PostgreSQL ")
    url = djflow("db", "url", home=tmp_path)
    assert url.returncode == 0, url.stderr
    assert url.stdout.startswith("postgresql://")
    assert ":" not in url.stdout.partition("://")[2].partition("@")[0]
    assert djflow("db", "stop", home=tmp_path).returncode == 0
    again = djflow("db", "stop", home=tmp_path)
    assert again.stdout == "The embedded server was not running.\n"


def test_status_says_when_another_server_is_configured(tmp_path: Path) -> None:
    done = djflow("db", "status", home=tmp_path, DJ_HOST="db.lab.org", DJ_USER="ann", DJ_PASS="s3cret")
    assert "not used: the configuration names ann@db.lab.org:5432/postgres" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_run_keeps_the_server_up_until_it_is_interrupted(tmp_path: Path) -> None:
    import signal

    import psycopg

    inherited = {k: v for k, v in os.environ.items() if not k.startswith("DJ") and k != "DATABASE_URL"}
    command = [sys.executable, "-c", "from djflow.cli import main; main(['db', 'run'])"]
    environment = inherited | {"DJFLOW_HOME": str(tmp_path / "home"), "DJ_IGNORE_CONFIG_FILE": "true"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
    assert "Traceback" not in errors
