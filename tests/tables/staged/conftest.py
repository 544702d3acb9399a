"""A table whose attributes can be written while its row is being made."""

import pytest

from djflow.storage.store import Store
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

DEFINITION = """
recording : int32
---
frames = 0 : int32
raw = null : <object@>
movie = null : <zarr@>
trace = null : <npy@>
spikes = null : <parquet@>
events = null : <arrow@>
note = null : <attach@>
content = null : <hash@>
value = null : <blob@>
inside = null : <blob>
own = null : <filepath@>
"""


@pytest.fixture
def recording(schema: Schema) -> Manual:
    """An empty table."""
    declared = schema(type("Recording", (Manual,), {"definition": DEFINITION}))
    schema.create()
    table = declared()
    assert isinstance(table, Manual)
    return table


@pytest.fixture
def store(schema: Schema) -> Store:
    """Where its objects lie."""
    return schema.connection.open_store("")
