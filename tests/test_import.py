"""Importing djflow is free: nothing is opened, loaded or said before it is needed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "polars",
    "pandas",
    "pyarrow",
    "psycopg",
    "adbc_driver_manager",
    "zarr",
    "sqlglot",
    "numpy",
    "networkx",
)

_IMPORT = """
import sys
opened = []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "sqlite3.")):
        opened.append(event)
    if event == "open" and "w" in str(arguments[1]):
        opened.append(f"write {arguments[0]}")
sys.addaudithook(watch)
import djflow as dj
import json
from pathlib import Path
print(json.dumps({"modules": sorted(sys.modules), "opened": opened, "names": dir(dj)}))
"""


def run(script: str, *, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )


def test_importing_loads_nothing_heavy_opens_nothing_and_warns_of_nothing(tmp_path: Path) -> None:
    done = run(_IMPORT, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [name for name in HEAVY if name in found["modules"]] == []
    assert found["opened"] == []
    assert {"Schema", "Manual", "Diagram", "config"} <= set(found["names"])
    assert list(tmp_path.iterdir()) == []


def test_every_public_name_can_be_imported_without_a_warning(tmp_path: Path) -> None:
    done = run("import djflow; [getattr(djflow, name) for name in djflow.__all__]", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_declaring_tables_opens_no_connection(tmp_path: Path) -> None:
    script = """
import sys
opened = []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.")):
        opened.append(event)
sys.addaudithook(watch)
import djflow as dj
schema = dj.Schema("lab")
@schema
class Subject(dj.Lookup):
    definition = '''
    subject : int32
    ---
    image = null : <blob@>
    '''
    contents = [(1, None)]
@schema
class Session(dj.Computed):
    definition = "-> Subject"
    def make(self, key):
        self.insert1(key)
(Session & Subject & "subject > 1").proj(x="subject + 1").make_sql()
print(opened, *(name for name in ("psycopg", "zarr", "pandas") if name in sys.modules))
"""
    done = run(script, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_an_unknown_name_is_answered_with_the_closest() -> None:
    import djflow

    with pytest.raises(AttributeError, match=r"no attribute 'Shema'.*Did you mean 'Schema'"):
        _ = djflow.Shema
