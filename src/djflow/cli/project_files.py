"""The files of a new project."""

from typing import Final

_INIT: Final = '''\
"""The pipeline of @NAME@: importing it declares all of its tables."""

from @NAME@.acquisition import schema as acquisition_schema
from @NAME@.analysis import schema as analysis_schema

__all__ = ["acquisition_schema", "analysis_schema"]
'''
_ACQUISITION: Final = '''\
"""What was recorded, and of whom."""

import djflow as dj

schema = dj.Schema("@NAME@_acquisition")


@schema
class Subject(dj.Manual):
    definition = """
    # Who takes part
    subject : varchar(16)
    ---
    sex = 'U' : enum('F', 'M', 'U')
    """


@schema
class Session(dj.Manual):
    definition = """
    # One visit
    -> Subject
    session : int16
    ---
    session_date : date
    samples : <blob>   # what was measured
    """
'''
_ANALYSIS: Final = '''\
"""What follows from the recordings."""

import djflow as dj
from @NAME@.acquisition import Session

schema = dj.Schema("@NAME@_analysis")


@schema
class Summary(dj.Computed):
    definition = """
    # Each session in numbers
    -> Session
    ---
    length : int32
    mean : float64
    """

    def make(self, key):
        samples = (Session & key).fetch1("samples")
        self.insert1({**key, "length": len(samples), "mean": sum(samples) / len(samples)})
'''
_CONFTEST: Final = '''\
"""Tests run on an embedded server of their own, whatever is configured."""

import os
import tempfile

for variable in [name for name in os.environ if name == "DATABASE_URL" or name.startswith("DJ_")]:
    del os.environ[variable]
_home = tempfile.TemporaryDirectory(prefix="@NAME@-tests-", ignore_cleanup_errors=True)
os.environ |= {"DJFLOW_HOME": _home.name, "DJ_IGNORE_CONFIG_FILE": "true"}
'''
_TEST: Final = """\
import djflow as dj
from @NAME@.acquisition import Session, Subject
from @NAME@.analysis import Summary


def test_every_session_is_summarised():
    Subject.insert([("anna", "F"), ("ben", "M")])
    Session.insert([("anna", 1, "2024-05-06", [1.0, 2.0, 3.0]), ("ben", 1, "2024-05-07", [4.0])])

    dj.populate(Summary)

    assert (Summary & {"subject": "anna"}).fetch1("mean") == 2.0
    assert len(Session - Summary) == 0
"""
_CONFIG: Final = """\
# Settings of this project; `djflow config show` tells which hold, and where each comes from.
# Credentials do not belong here but in .secrets/, one file each, or in DJ_USER and DJ_PASS.

# Without a host, djflow starts a PostgreSQL server of its own.
# [database]
# host = "db.example.org"
# name = "@NAME@"

# [stores]
# default = "main"
# [stores.main]
# protocol = "file"
# location = "/data/@NAME@"

[display]
limit = 12
"""
_PYPROJECT: Final = """\
[project]
name = "@NAME@"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["djflow"]

[project.optional-dependencies]
test = ["pytest"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""
_IGNORED: Final = """\
.secrets/
__pycache__/
.pytest_cache/
*.egg-info/
.venv/
"""
_README: Final = """\
# @NAME@

| file | what |
|---|---|
| `@NAME@/acquisition.py` | tables that are entered |
| `@NAME@/analysis.py` | tables that are computed |
| `djflow.toml` | settings |
| `.secrets/` | credentials, which stay here |
| `tests/` | `python -m pytest` |

```bash
djflow populate @NAME@              # compute what is missing
djflow status --module @NAME@       # how far it is
djflow schema diagram --module @NAME@
djflow shell --module @NAME@
```
"""


def files_of(name: str) -> dict[str, str]:
    """Text by path, in the folder of the project.

    >>> sorted(files_of("my_lab"))[-2:]
    ['tests/conftest.py', 'tests/test_pipeline.py']
    """
    files = {
        "README.md": _README,
        "pyproject.toml": _PYPROJECT,
        "djflow.toml": _CONFIG,
        ".gitignore": _IGNORED,
        "@NAME@/__init__.py": _INIT,
        "@NAME@/acquisition.py": _ACQUISITION,
        "@NAME@/analysis.py": _ANALYSIS,
        "tests/conftest.py": _CONFTEST,
        "tests/test_pipeline.py": _TEST,
    }
    return {path.replace("@NAME@", name): text.replace("@NAME@", name) for path, text in files.items()}
