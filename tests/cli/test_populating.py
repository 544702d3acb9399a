"""`djflow populate` and `djflow watch` fill the tables of a module."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from djflow.cli import main
from djflow.tables.schema import Schema

_MODULE = """
import djflow as dj

schema = dj.Schema("{schema}")


@schema
class Item(dj.Lookup):
    definition = "item : int32"
    contents = [(n,) for n in range(4)]


@schema
class Half(dj.Computed):
    definition = '''
    -> Item
    ---
    half : float64
    '''

    def make(self, key):
        if key["item"] == {bad}:
            raise ValueError("no half")
        self.insert1({{**key, "half": key["item"] / 2}})


@schema
class Quarter(dj.Computed):
    definition = '''
    -> Half
    ---
    quarter : float64
    '''

    def make(self, key):
        self.insert1({{**key, "quarter": (Half & key).fetch1("half") / 2}})
"""


@pytest.fixture
def run(
    schema: Schema, here: Path, process_environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> "Run":
    return Run(schema, here, process_environment, capsys)


class Run:
    """Commands in a folder with a module `halves`."""

    def __init__(
        self,
        schema: Schema,
        folder: Path,
        environment: dict[str, str],
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.schema, self.folder, self.environment, self.capsys = schema, folder, environment, capsys
        self.write(bad=-1)

    def write(self, bad: int) -> None:
        (self.folder / "halves.py").write_text(_MODULE.format(schema=self.schema.database, bad=bad))

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "djflow", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe, text=True
        )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def count(self, table: str) -> int:
        found = self.schema.connection.query(f'SELECT count(*) FROM "{self.schema.database}"."{table}"')
        return int(found[0][0])


def test_a_module_is_filled(run: Run) -> None:
    code, out, error = run("populate", "halves", "--plan")
    assert (code, error) == (0, "")
    assert "possible" in out
    code, out, error = run("populate", "halves", "--where", "item > 0")
    assert (code, error) == (0, "")
    assert "Quarter" in out
    assert run.count("__quarter") == 3
    assert run("populate", "halves:Half")[0] == 0
    assert (run.count("__half"), run.count("__quarter")) == (4, 3)


def test_failed_keys_are_told_by_the_exit_code(run: Run) -> None:
    run.write(bad=2)
    code, out, _ = run("populate", "halves", "--executor", "threads", "--workers", "2")
    assert code == 1
    assert "failed" in out
    assert run.count("__quarter") == 3


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("helves", "There is no module 'helves' here."),
        ("halves:Hulf", "halves has no 'Hulf'. Did you mean 'Half'?"),
        ("halves:__name__", "Tables, schemas, modules and diagrams can be populated, not str."),
    ],
)
def test_targets_that_are_none_are_told(run: Run, target: str, told: str) -> None:
    code, _, error = run("populate", target)
    assert code == 1
    assert told in error


def test_watching_fills_what_is_inserted_until_ctrl_c(run: Run) -> None:
    watching = run.start("populate", "halves", "--watch")
    deadline = time.monotonic() + 60
    query, database = run.schema.connection.query, run.schema.database
    while not query("SELECT 1 WHERE to_regclass($1) IS NOT NULL", (f'"{database}"."__quarter"',)):
        assert watching.poll() is None, watching.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    while run.count("__quarter") < 4:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    query(f'INSERT INTO "{database}"."#item" VALUES (17)')
    while run.count("__quarter") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert "│ Quarter ┆ 5" in out
