"""Command lines in a folder with a module of tables, whose default database is on the tests' server."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import djflow as dj
from djflow.cli import main

_MODULE = """
import djflow as dj

schema = dj.Schema("{schema}")


@schema
class Subject(dj.Lookup):
    definition = '''
    # Who takes part
    subject : int32
    ---
    sex : enum('F', 'M')
    '''
    contents = [(1, "F"), (2, "M"), (3, "F")]


@schema
class Trace(dj.Manual):
    definition = '''
    -> Subject
    ---
    taken : datetime
    price : decimal(6,2)
    raw : bytes
    note = null : varchar(40)
    trace : <npy@>
    '''


@schema
class Half(dj.Computed):
    definition = '''
    -> Subject
    ---
    half : float64
    '''

    def make(self, key):
        if key["subject"] > 1:
            raise ValueError("no half")
        self.insert1({{**key, "half": key["subject"] / 2}})
"""


@dataclass(frozen=True)
class Lab:
    """A schema, the module that declares it, and what runs commands: the code, stdout and stderr of one."""

    schema: str
    module: str
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = self.capsys.readouterr()
        return code, captured.out, captured.err

    def told(self, *arguments: str) -> str:
        """What a command prints that succeeds."""
        code, out, error = self.run(*arguments)
        assert (code, error) == (0, "")
        return out

    def document(self, *arguments: str) -> Any:
        return json.loads(self.told(*arguments, "--json"))


@pytest.fixture
def here(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, from which modules are imported; the default database is on the tests' server."""
    monkeypatch.setenv("DATABASE_URL", server_url)
    monkeypatch.setenv("DJFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DJ_IGNORE_CONFIG_FILE", "true")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.chdir(tmp_path)
    imported = set(sys.modules)
    database = dj.conn()
    database.close()
    dj.config.clear()
    yield tmp_path
    database.close()
    monkeypatch.undo()
    dj.config.clear()
    for name in set(sys.modules) - imported:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def lab(here: Path, schema_name: str, capsys: pytest.CaptureFixture[str]) -> Lab:
    module = f"module_of_{schema_name}"
    (here / f"{module}.py").write_text(_MODULE.format(schema=schema_name))
    return Lab(schema_name, module, capsys)
