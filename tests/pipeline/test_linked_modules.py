"""Tables of a module that another one links to its project are made in other processes, too."""

import subprocess
import sys
from pathlib import Path

REUSABLE = '''
import djflow as dj

schema = dj.Schema()


@schema
class Made(dj.Computed):
    definition = """
    -> Session
    ---
    twice : int32
    """

    def make(self, key):
        self.insert1({**key, "twice": 2 * key["session"]})


def activate(name, linking):
    schema.activate(name, create_tables=True, add_objects={"Session": linking.Session})
'''
LINKING = """
import os, sys

import djflow as dj
import reusable

own = dj.Schema(os.environ["OWN"])


@own
class Session(dj.Manual):
    definition = "session : int32"


reusable.activate(os.environ["OWN"], sys.modules[__name__])
"""
PROGRAM = """
from linking import Session, reusable

Session.insert({"session": n} for n in range(4))
reusable.Made.populate(processes=2, display_progress=False)
print(reusable.Made.to_arrays("twice").tolist())
"""


def test_workers_import_the_module_that_names_a_schema(
    tmp_path: Path, process_environment: dict[str, str], schema_name: str
) -> None:
    (tmp_path / "reusable.py").write_text(REUSABLE)
    (tmp_path / "linking.py").write_text(LINKING)
    environment = {**process_environment, "OWN": schema_name, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[0, 2, 4, 6]\n", "")
