from pathlib import Path
from typing import Any

import pytest

import djflow as dj
from djflow.configuration import changed, load
from djflow.relation.database import Database
from djflow.tables.schema import Schema

SPECIMEN = """
n : int32
---
big = null : int64
f = null : float64
r = null : float32
w = null : decimal(8,3)
t = '' : varchar(6000)
c = 'ab' : char(4)
e = 'M' : enum('M', 'F')
b = true : bool
d = null : date
m = null : datetime
m3 = null : datetime(3)
u = null : uuid
j = null : json
raw = null : bytes
"""
READING = """
-> Specimen
reading : int16
---
value = null : float64
"""


def declare(schema: Schema) -> tuple[Any, Any]:
    """A table with attributes of all types, and one below it."""

    @schema
    class Specimen(dj.Manual):
        definition = SPECIMEN

    @schema
    class Reading(dj.Manual):
        definition = READING

    return Specimen, Reading


@pytest.fixture(scope="session")
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """The tables on a server that does not exist: whatever is sent is a `ConnectionFailedError`."""
    home = tmp_path_factory.mktemp("home")
    settings = load({"DJFLOW_HOME": str(home), "DJ_IGNORE_CONFIG_FILE": "true"}, Path(home))
    settings = changed(settings, {"database": {"host": "nowhere.invalid", "user": "u", "name": "x"}})
    return declare(Schema("hostile", connection=Database(lambda: settings)))


@pytest.fixture
def online(schema: Schema) -> tuple[Any, Any]:
    """The tables on the tests' server."""
    return declare(schema)
