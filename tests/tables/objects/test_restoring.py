"""Rows that come back from an archive have their objects, whatever a collector did to these meanwhile."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from tests.tables.objects.lab import Lab

import djflow as dj
from djflow.errors import DuplicateError

WEEK = timedelta(days=7)


def _delete_and_keep(lab: Lab, folder: Path) -> Path:
    lab.insert(1, 2)
    lab.recording().delete(archive=folder / "kept", prompt=False)
    return folder / "kept"


def _check(lab: Lab) -> None:
    assert lab.collector().collect(dry_run=False)["deleted"] == 0
    assert lab.recording().verify().is_empty()
    assert np.array_equal((lab.recording() & {"recording": 2}).fetch1("trace"), np.arange(2))
    assert lab.recorded() == lab.stored()


@pytest.mark.parametrize("collected", ["not yet", "in quarantine", "gone"])
def test_what_comes_back_is_recorded_and_never_collected(lab: Lab, tmp_path: Path, collected: str) -> None:
    kept = _delete_and_keep(lab, tmp_path)
    if collected != "not yet":
        lab.collector(WEEK if collected == "in quarantine" else timedelta(0)).collect(dry_run=False)

    dj.restore(kept, connection=lab.database)

    assert len(lab.recording()) == 2
    _check(lab)


def test_what_a_collector_is_removing_gets_a_new_path(lab: Lab, tmp_path: Path) -> None:
    kept = _delete_and_keep(lab, tmp_path)
    before = lab.stored()
    records = f'"{lab.schema.database}"."~objects"'
    lab.database.query(f"UPDATE {records} SET quarantined_at = now(), condemned_at = now()")

    dj.restore(kept, connection=lab.database)
    for path in before:
        lab.store.remove(path)  # as that collector does in the end

    assert lab.stored().isdisjoint(before)
    assert {Path(path).suffix for path in lab.stored()} == {Path(path).suffix for path in before}
    assert lab.recording().verify().is_empty()


def test_it_can_be_repeated_whatever_was_collected_before(lab: Lab, tmp_path: Path) -> None:
    kept = _delete_and_keep(lab, tmp_path)
    lab.collector().collect(dry_run=False)
    dj.restore(kept, connection=lab.database)

    again = dj.restore(kept, connection=lab.database, on_conflict="match")

    assert set(again.inserted.values()) == {0}
    _check(lab)


def test_objects_that_another_restore_has_put_there_stay_when_one_fails(lab: Lab, tmp_path: Path) -> None:
    kept = _delete_and_keep(lab, tmp_path)
    lab.collector().collect(dry_run=False)
    dj.restore(kept, connection=lab.database)

    with pytest.raises(DuplicateError):
        dj.restore(kept, connection=lab.database)

    _check(lab)


def test_objects_of_a_restore_that_failed_are_collected(lab: Lab, tmp_path: Path) -> None:
    kept = _delete_and_keep(lab, tmp_path)
    lab.collector().collect(dry_run=False)
    lab.recording().insert([(2, None, None)])

    with pytest.raises(DuplicateError):
        dj.restore(kept, connection=lab.database)

    assert lab.stored() == lab.recorded() != set()
    lab.collector().collect(dry_run=False)
    assert lab.stored() == lab.recorded() == set()


def test_under_another_name_they_are_recorded_there(lab: Lab, tmp_path: Path) -> None:
    kept = _delete_and_keep(lab, tmp_path)
    name = f"{lab.schema.database}_copy"
    dj.restore(kept, schema=name, connection=lab.database)
    copy = dj.Schema(name, connection=lab.database)
    try:
        collector = dj.gc.GarbageCollector(copy, grace=timedelta(0))
        assert collector.collect(dry_run=False)["schema_paths_referenced"] == 2
        copy["Recording"].delete(prompt=False)
        assert collector.collect(dry_run=False)["deleted"] == 3
    finally:
        copy.drop(prompt=False)
