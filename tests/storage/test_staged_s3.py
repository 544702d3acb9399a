"""Staged inserts whose objects lie on a real S3 server."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from djflow.configuration import changed
from djflow.relation.database import Database
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual
from djflow.testing.s3_server import S3Endpoint


@pytest.fixture
def recording(database: Database, schema_name: str, s3_endpoint: S3Endpoint) -> Iterator[Manual]:
    """An empty table with its objects on S3."""
    spec = s3_endpoint.settings("main").spec()
    settings = changed(database.settings, {"stores": {"default": "main", "main": spec}})
    remote = Database(lambda: settings)
    schema = Schema(schema_name, connection=remote)

    @schema
    class Recording(Manual):
        definition = """
        recording : int32
        ---
        movie = null : <zarr@>
        trace = null : <npy@>
        raw = null : <object@>
        content = null : <hash@>
        """

    yield Recording()
    remote.close()


def write(table: Manual, number: int) -> None:
    with table.staged_insert1 as staged:
        staged.rec["recording"] = number
        array: Any = staged.zarr("movie", shape=(0, 2), dtype="i4", chunks=(2, 2))
        array.append(np.arange(6).reshape(3, 2))
        staged.npy("trace", dtype="f8", shape=(None,)).append([0.5, 1.5])
        staged.store("raw")["a.txt"] = b"text"
        staged.open("content").write(b"shared")
        if number < 0:
            raise ValueError("no such number")


def test_objects_grow_on_s3_or_leave_nothing(recording: Manual) -> None:
    write(recording, 1)

    found = recording.fetch1()
    assert found["movie"][:].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert found["trace"].load().tolist() == [0.5, 1.5]
    assert found["raw"].listdir() == ["a.txt"]
    assert found["content"] == b"shared"
    assert recording.verify().is_empty()

    store = recording.connection.open_store("")
    before = {file.path for file in store.list("")}
    with pytest.raises(ValueError, match="no such number"):
        write(recording, -1)
    assert {file.path for file in store.list("")} == before
