"""Whatever comes between, a row that is being moved refers to an object that is there."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import numpy as np
import pytest
from tests.storage.conftest import s3_endpoint
from tests.tables.objects.lab import DEFINITION, Lab
from tests.tables.objects.moving_victim import BATCH, STEPS
from tests.tables.objects.two_stores import archive_of, files_of, references, stores_of, two_stores

from djflow.errors import StoreFullError
from djflow.gc import GarbageCollector
from djflow.relation.database import Database
from djflow.storage import copying
from djflow.storage.copying import copy_object
from djflow.storage.local import LocalStore
from djflow.storage.parallel import map_threads
from djflow.storage.paths import finished
from djflow.tables.free import FreeTable
from djflow.tables.objects import movable, transfer
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual
from djflow.testing.s3_server import S3Endpoint

__all__ = ["s3_endpoint"]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def database(two_stores_database: Database) -> Database:
    return two_stores_database


def test_a_row_that_is_deleted_or_changed_meanwhile_stays_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.insert(1, 2, 3)

    other = Database(lambda: lab.database.settings)
    done_once: list[int] = []

    def interfere(*arguments: Any) -> Any:
        if not done_once:
            done_once.append(1)
            name = f'"{lab.schema.database}".recording'
            other.query(f"DELETE FROM {name} WHERE recording = 1")
            other.query(f"UPDATE {name} SET trace = NULL WHERE recording = 2")
        return copy_object(*arguments)

    monkeypatch.setattr(transfer, "copy_object", interfere)
    done = lab.recording().move_objects("archive", ["trace"], dry_run=False)
    other.close()

    assert done["done"].to_list() == ["rows changed meanwhile"] * 2 + ["moved"]
    assert list(references(lab)) == [3]
    archive = GarbageCollector(lab.schema, store="archive")
    assert archive.collect()["schema_paths_orphaned"] == 2


def test_a_store_without_room_ends_the_move_and_leaves_no_trace(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.insert(*range(5))
    before, put, written = references(lab), LocalStore.put, []

    def full(store: LocalStore, path: str, data: bytes) -> None:
        written.append(path)
        if len(written) > 2:
            raise StoreFullError("full")
        put(store, path, data)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "put", full)
        with pytest.raises(StoreFullError):
            lab.recording().move_objects("archive", ["trace"], dry_run=False)

    assert (references(lab), files_of(archive_of(lab))) == (before, set())
    assert lab.recording().move_objects("archive", dry_run=False)["problem"].is_null().all()


def test_what_was_moved_before_an_interruption_stays_moved(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.insert(*range(6))
    calls: list[int] = []

    def stop(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > 4:
            raise KeyboardInterrupt
        return copy_object(*arguments)

    monkeypatch.setattr(movable, "BATCH_OBJECTS", 2)
    with monkeypatch.context() as patch:
        patch.setattr(transfer, "copy_object", stop)
        with pytest.raises(KeyboardInterrupt):
            lab.recording().move_objects("archive", ["trace"], dry_run=False)
    assert stores_of(lab) == ["archive"] * 4 + ["local"] * 2

    assert len(lab.recording().move_objects("archive", ["trace"], dry_run=False)) == 2
    assert lab.recording().verify().is_empty()


def test_what_is_damaged_or_missing_stays_and_the_rest_moves(lab: Lab) -> None:
    lab.insert(1, 2, 3)
    lab.insert(4, note="other")
    paths = {key: reference["path"] for key, reference in references(lab).items()}
    note = references(lab, "note")[4]["path"]
    lab.store.put(paths[1], lab.store.get(paths[1])[:-1] + b"\1")
    lab.store.remove(paths[2])
    lab.store.put(note, b"another content")

    done = lab.recording().move_objects("archive", dry_run=False)

    assert done.select("attribute", "rows", "done", "problem").rows() == [
        ("trace", 1, None, "corrupt"),
        ("trace", 1, None, "missing"),
        ("trace", 1, "moved", None),
        ("trace", 1, "moved", None),
        ("note", 3, "moved", None),
        ("note", 1, None, "corrupt"),
    ]
    stores = stores_of(lab)
    assert stores == ["local", "local", "archive", "archive"]
    assert files_of(archive_of(lab)) == set(done["new_path"].drop_nulls())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_move_goes_on_where_it_was(
    lab: Lab, process_environment: Mapping[str, str], tmp_path: Path, step: str
) -> None:
    lab.insert(*range(2 * BATCH))
    moved = BATCH if step == "after the commit" else 0

    command = [sys.executable, "-m", "tests.tables.objects.moving_victim", lab.schema.database, str(tmp_path)]
    ended = subprocess.run(
        [*command, step], env=process_environment, cwd=ROOT, check=False, capture_output=True, timeout=60
    )
    assert ended.returncode == -9, ended.stderr.decode()

    assert stores_of(lab) == ["archive"] * moved + ["local"] * (2 * BATCH - moved)
    assert lab.recording().verify().is_empty()
    assert {finished(path) for path in files_of(archive_of(lab))} <= lab.recorded()
    done = lab.recording().move_objects("archive", ["trace"], dry_run=False)
    assert done["done"].to_list() == ["moved"] * (2 * BATCH - moved)
    _wait_for_the_end_of(lab)
    for store in ("local", "archive"):
        GarbageCollector(lab.schema, store=store, grace=timedelta(0)).collect(dry_run=False)
    assert files_of(archive_of(lab)) == {each["path"] for each in references(lab).values()}
    assert len(lab.stored()) == 1  # the note
    assert lab.recording().verify().is_empty()


def _wait_for_the_end_of(lab: Lab) -> None:
    """The server notices a moment later that a client is gone."""
    live = (
        f'SELECT FROM "{lab.schema.database}"."~objects", unnest(writers) w '
        "WHERE NOT pg_visible_in_snapshot(w, pg_current_snapshot())"
    )
    while lab.database.query(live):
        time.sleep(0.05)


def test_two_moves_of_the_same_rows_leave_each_row_with_one_object(lab: Lab) -> None:
    lab.insert(*range(8))
    start, name = Barrier(2), f"{lab.schema.database}.recording"

    def move(_number: int) -> Any:
        database = Database(lambda: lab.database.settings)
        table = FreeTable(database, name)
        start.wait(30)
        done = table.move_objects("archive", dry_run=False)
        database.close()
        return done

    first, second = map_threads(move, [1, 2])
    assert first["problem"].is_null().all()
    assert second["problem"].is_null().all()
    assert lab.recording().verify().is_empty()
    for store in ("local", "archive"):
        GarbageCollector(lab.schema, store=store, grace=timedelta(0)).collect(dry_run=False)
    kept = [*references(lab).values(), *references(lab, "note").values()]
    assert files_of(archive_of(lab)) == {each["path"] for each in kept}
    assert lab.recording().verify().is_empty()


def test_a_collector_beside_moves_takes_nothing_that_rows_need(lab: Lab) -> None:
    lab.insert(*range(6))
    is_done = Event()

    def collect(store: str) -> None:
        database = Database(lambda: lab.database.settings)
        schema = Schema(lab.schema.database, connection=database)
        while not is_done.is_set():
            GarbageCollector(schema, store=store, grace=timedelta(0)).collect(dry_run=False)
        database.close()

    def move() -> None:
        try:
            for store in ("archive", "local") * 4:
                done = lab.recording().move_objects(store, dry_run=False)
                assert done["done"].to_list() == ["moved"] * 7
                assert lab.recording().verify().is_empty()
        finally:
            is_done.set()

    works: list[Callable[[], None]] = [move, lambda: collect("local"), lambda: collect("archive")]
    map_threads(lambda work: work(), works)
    assert lab.recording().verify().is_empty()


def test_objects_travel_to_s3_and_back_in_files(
    tmp_path: Path, schema_name: str, s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_SMALL", 10)
    plain = s3_endpoint.settings("cloud")
    given = {**plain.spec(), "cache": {"folder": str(tmp_path / "cache"), "size": "10 MB"}}
    keys = {name: plain.revealed()[name] for name in ("access_key", "secret_key")}
    settings = two_stores(tmp_path, cloud={**given, **keys})
    database = Database(lambda: settings)
    schema = Schema(schema_name, connection=database)
    lab = Lab(schema, schema(type("Recording", (Manual,), {"definition": DEFINITION})))
    lab.insert(5, 100)

    assert lab.recording().move_objects("cloud", dry_run=False)["done"].to_list() == ["moved"] * 3
    assert np.array_equal(lab.recording().to_dicts()[1]["trace"], np.arange(100))
    assert len(files_of(database.open_store("cloud"))) == 3
    assert lab.recording().move_objects("archive", dry_run=False)["done"].to_list() == ["moved"] * 3
    assert lab.recording().verify().is_empty()
    assert GarbageCollector(schema, store="cloud", grace=timedelta(0)).collect(dry_run=False)["deleted"] == 3
    assert list((tmp_path / "cache").rglob("*.*")) == []
    database.close()
