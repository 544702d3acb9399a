"""However a staged insert ends, wherever it runs: no row without its object, no object that nobody knows."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from operator import setitem
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from tests.tables.staged.test_staging import recorded, stored

from djflow.errors import DjflowError, LostConnectionError, RegionError, StorageError
from djflow.gc import GarbageCollector
from djflow.pipeline.tiers import Computed
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.storage.codecs.store_codec import SchemaCodec
from djflow.storage.store import Store
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

ROOT = Path(__file__).parents[3]


def test_what_a_killed_process_left_is_recorded_and_collected(
    recording: Manual, schema: Schema, store: Store, process_environment: Mapping[str, str]
) -> None:
    root = store.local_path("_schema")
    assert root is not None
    command = [sys.executable, "-m", "tests.tables.staged.victim", schema.database, str(root.parent)]
    ended = subprocess.run(
        command, env=process_environment, cwd=ROOT, check=False, capture_output=True, timeout=60
    )
    assert ended.returncode == -9, ended.stderr.decode()
    _wait_for_the_end_of_writers(recording)

    left = stored(store)
    assert len(recorded(recording)) == 2
    assert all(any(path.startswith(known) for known in recorded(recording)) for path in left)
    collector = GarbageCollector(schema, grace=timedelta(0))
    assert collector.collect(dry_run=False)["deleted"] == 2
    assert (stored(store), recorded(recording), len(recording)) == (set(), set(), 0)
    assert collector.audit().is_empty()


def _wait_for_the_end_of_writers(table: Manual) -> None:
    """The server notices a moment later that a client is gone."""
    live = (
        f'SELECT FROM {quote(table.table_model.name.schema)}."~objects", unnest(writers) w '
        "WHERE NOT pg_visible_in_snapshot(w, pg_current_snapshot())"
    )
    while table.connection.query(live):
        pass


def test_a_block_survives_the_loss_of_its_sign_of_life(
    recording: Manual, schema: Schema, store: Store
) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        staged.open("raw").write(b"text")
        [(ended,)] = recording.connection.query(
            "SELECT count(pg_terminate_backend(a.pid, 5000)) FROM pg_stat_activity a,"
            f' {quote(schema.database)}."~objects" o WHERE a.backend_xid = ANY (o.writers::xid[])'
        )
        assert ended == 1

    assert recording.fetch1("raw").read() == b"text"
    assert stored(store) == recorded(recording)


def test_an_object_that_was_collected_meanwhile_is_told(recording: Manual, schema: Schema) -> None:
    with pytest.raises(StorageError, match="removed by a collector"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        staged.open("raw").write(b"text")
        name = quote(schema.database)
        recording.connection.query(f'UPDATE {name}."~objects" SET condemned_at = clock_timestamp()')

    assert len(recording) == 0


def test_a_connection_that_breaks_takes_the_objects_along(recording: Manual, store: Store) -> None:
    [(pid,)] = recording.connection.query("SELECT pg_backend_pid()")
    with (  # noqa: PT012
        pytest.raises(LostConnectionError),
        recording.connection.transaction,
        recording.staged_insert1 as staged,
    ):
        staged.rec["recording"] = 1
        staged.open("raw").write(b"text")
        other = Database(lambda: recording.connection.settings)
        other.query("SELECT pg_terminate_backend($1, 5000)", (pid,))
        other.close()

    assert (stored(store), recorded(recording), len(recording)) == (set(), set(), 0)


@pytest.fixture
def made(recording: Manual, schema: Schema) -> Computed:
    """A table whose `make` stages its rows; that of recording 2 fails at the end."""
    recording.insert([{"recording": 1}, {"recording": 2}])

    @schema
    class Movie(Computed):
        definition = """
        -> Recording
        ---
        frames : <zarr@>
        """

        def make(self, key: dict[str, Any]) -> None:
            with self.staged_insert1 as staged:
                staged.rec.update(key)
                array: Any = staged.zarr("frames", shape=(0,), dtype="i4")
                array.append(np.arange(key["recording"]))
            if key["recording"] == 2:
                raise ValueError("too late")

    return Movie()


def test_a_make_stages_in_its_own_transaction(made: Computed, store: Store) -> None:
    made.populate(suppress_errors=True)

    assert made.fetch1("frames")[:].tolist() == [0]
    assert len(made) == 1
    assert len({path.rpartition(".zarr")[0] for path in stored(store)}) == 1
    assert made.verify().is_empty()
    with pytest.raises(DjflowError, match="populate"), made.staged_insert1:
        pass


def test_a_class_stages_without_an_instance(recording: Manual) -> None:
    block: Any = type(recording).staged_insert1
    with block as staged:
        staged.rec["recording"] = 1
        staged.open("raw").write(b"text")
    assert len(recording) == 1


class Lines(SchemaCodec):
    """Texts; those that grow are counted when they are complete."""

    name = "lines_example"
    extension = ".txt"

    def write(self, value: Any, store: Store, path: str) -> Mapping[str, Any]:
        store.put(path, value.encode())
        return {"lines": value.count("\n")}

    def describe(self, store: Store, path: str) -> Mapping[str, Any]:
        return {"lines": store.get(path).count(b"\n")}

    def open(self, reference: Mapping[str, Any], store: Store) -> Any:
        return reference["lines"], store.get(reference["path"]).decode()


def test_codecs_of_users_take_part(schema: Schema) -> None:
    @schema
    class Log(Manual):
        definition = """
        log : int32
        ---
        text : <lines_example@>
        """

    with Log().staged_insert1 as staged:
        staged.rec["log"] = 1
        file = staged.open("text", mode="w")
        file.write("one\n")
        file.write("two\n")

    assert Log().fetch1("text") == (2, "one\ntwo\n")
    [(path,)] = schema.connection.query(f"SELECT text ->> 'path' FROM {Log.full_table_name}")
    assert path.endswith(".txt")
    assert Log().verify().is_empty()


def test_a_cluster_writes_whole_chunks_into_a_staged_array(recording: Manual) -> None:
    distributed: Any = pytest.importorskip("distributed")
    workers = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    )
    source = da.arange(24, chunks=6, dtype="i4").reshape(12, 2)
    with workers, distributed.Client(workers) as client, recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array: Any = staged.zarr("movie", shape=(13, 2), dtype="i4", chunks=(4, 2))
        source.rechunk((4, 2)).store(array, lock=False, regions=np.s_[0:12, :])
        with pytest.raises(RegionError, match=r"\[0:2, 0:2\].*\[0:4, 0:2\]"):
            client.submit(setitem, array, slice(0, 2), 7).result()
        client.submit(setitem, array, slice(12, 13), 7).result()
        array[0, 0] = 99
        recording.insert1({"recording": 2, "movie": source})

    (first, _), *_, last = (recording & {"recording": 1}).fetch1("movie")[:].tolist()
    assert (first, last) == (99, [7, 7])
    assert (recording & {"recording": 2}).fetch1("movie")[:].tolist() == source.compute().tolist()
    assert recording.verify().is_empty()
