"""A staged insert: the row with its objects, or no trace."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from djflow.errors import (
    DataTypeError,
    DjflowError,
    DuplicateError,
    InvalidRowsError,
    MissingAttributeError,
    StorageError,
    UnknownAttributeError,
)
from djflow.gc import GarbageCollector
from djflow.sql.identifiers import quote
from djflow.storage.store import Store
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual


def recorded(table: Manual) -> set[str]:
    name = quote(table.table_model.name.schema)
    rows = table.connection.query(f'SELECT path FROM {name}."~objects" WHERE removed_at IS NULL')
    return {path for (path,) in rows}


def stored(store: Store) -> set[str]:
    return {file.path for file in store.list("")}


def reference(table: Manual, attribute: str) -> dict[str, Any]:
    name = table.full_table_name
    [(found,)] = table.connection.query(f"SELECT {quote(attribute)} FROM {name}")
    told: dict[str, Any] = found if isinstance(found, dict) else json.loads(found)
    return told


def test_the_documented_block_inserts_a_row_with_a_folder(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        array = zarr.open(
            staged.store("raw", ".zarr"), mode="w", shape=(4, 2), chunks=(1, 2), dtype="i4", zarr_format=3
        )
        for row in range(4):
            array[row] = row  # type: ignore[index]
        staged.rec["frames"] = 4

    found = recording.fetch1()
    again: Any = zarr.open(found["raw"].fsmap, mode="r")
    assert (found["frames"], again[:].tolist()) == (4, [[0, 0], [1, 1], [2, 2], [3, 3]])
    assert recording.verify().is_empty()


def test_a_staged_folder_is_told_as_an_inserted_one_is(recording: Manual, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one")
    (folder / "sub" / "b.txt").write_text("two")
    recording.insert1({"recording": 1, "raw": folder})
    told = reference(recording, "raw")
    recording.delete_quick()

    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        files = staged.store("raw")
        files["a.txt"] = b"one"
        files["sub/b.txt"] = b"two"

    own = reference(recording, "raw")
    before, after = (datetime.fromisoformat(each.pop("timestamp")) for each in (told, own))
    assert before <= after <= datetime.now(UTC)
    assert own | {"path": ""} == told | {"path": ""}


def test_a_staged_file_is_told_as_an_inserted_one_is(recording: Manual) -> None:
    recording.insert1({"recording": 1, "raw": (".bin", b"some bytes")})
    told = reference(recording, "raw")
    recording.delete_quick()

    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        with staged.open("raw", ".bin") as file:
            file.write(b"some bytes")

    own = reference(recording, "raw")
    assert own["path"].endswith(".bin")
    varying = {"path": "", "timestamp": ""}
    assert own | varying == told | varying


def test_a_staged_file_is_written_in_any_order_and_more_than_once(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        with staged.open("raw", ".bin", "w+b") as file:
            file.write(b"????content")
            file.seek(0)
            file.write(b"head")
            file.seek(0)
            assert file.read() == b"headcontent"
        staged.open("raw", ".bin", "ab").write(b", left open")

    assert recording.fetch1("raw").read() == b"headcontent, left open"
    assert recording.verify().is_empty()


@pytest.mark.parametrize(
    ("attribute", "ext", "value"),
    [("content", "", b"bytes"), ("value", "", b"bytes"), ("note", ".txt", None)],
)
def test_contents_that_rows_share_are_kept_once(
    recording: Manual,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    attribute: str,
    ext: str,
    value: bytes | None,
) -> None:
    (tmp_path / "down").mkdir()
    monkeypatch.chdir(tmp_path / "down")  # into which attachments are decoded
    given = tmp_path / "note.txt"
    given.write_bytes(b"bytes")
    recording.insert1({"recording": 1, attribute: given if value is None else value})
    before = stored(store)

    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 2
        with staged.open(attribute, ext) as file:
            file.write(b"bytes")

    assert stored(store) == before
    assert recording.verify().is_empty()
    found = (recording & {"recording": 2}).fetch1(attribute)
    assert (Path(found).read_bytes() if value is None else found) == b"bytes"
    if value is None:
        assert Path(found).name.startswith("note")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_whatever_ends_the_block_early_removes_all_objects(
    recording: Manual, store: Store, error: type[BaseException]
) -> None:
    with pytest.raises(error), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        staged.store("raw")["a"] = b"text"
        staged.open("content").write(b"text")
        assert len(stored(store)) == 1
        raise error

    assert (stored(store), recorded(recording), len(recording)) == (set(), set(), 0)


def test_a_row_that_is_refused_removes_its_objects_only(recording: Manual, store: Store) -> None:
    recording.insert1({"recording": 1, "raw": b"first"})
    before = stored(store), recorded(recording)

    with pytest.raises(DuplicateError), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        staged.open("raw").write(b"second")

    assert (stored(store), recorded(recording)) == before
    assert recording.fetch1("raw").read() == b"first"


def test_two_that_stage_the_same_key_do_not_harm_one_another(recording: Manual, store: Store) -> None:
    with pytest.raises(DuplicateError), recording.staged_insert1 as first:  # noqa: PT012
        first.rec["recording"] = 1
        first.open("raw").write(b"first")
        with recording.staged_insert1 as second:
            second.rec["recording"] = 1
            second.open("raw").write(b"second")

    assert recording.fetch1("raw").read() == b"second"
    assert stored(store) == recorded(recording)
    assert recording.verify().is_empty()


def test_a_collector_leaves_alone_what_is_being_written(
    recording: Manual, schema: Schema, store: Store
) -> None:
    collector = GarbageCollector(schema)
    with recording.staged_insert1 as staged:
        assert not recording.connection.in_transaction
        staged.rec["recording"] = 1
        staged.open("raw").write(b"text")
        assert recorded(recording) == stored(store)
        assert collector.plan().is_empty()
    assert collector.plan().is_empty()
    assert recording.verify().is_empty()


def test_a_rollback_around_the_block_removes_its_objects(recording: Manual, store: Store) -> None:
    with pytest.raises(ValueError, match="changed"), recording.connection.transaction:  # noqa: PT012
        with recording.staged_insert1 as staged:
            staged.rec["recording"] = 1
            staged.open("raw").write(b"text")
        assert len(recording) == 1
        raise ValueError("changed my mind")

    assert (stored(store), recorded(recording), len(recording)) == (set(), set(), 0)


def test_the_key_comes_first_and_stays(recording: Manual) -> None:
    with pytest.raises(MissingAttributeError, match="'recording'"), recording.staged_insert1 as staged:
        staged.open("raw")
    with pytest.raises(InvalidRowsError, match="cannot change"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        staged.open("raw").write(b"text")
        staged.rec["recording"] = 2
    with pytest.raises(DataTypeError, match="'recording'"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = "first"
        staged.open("raw")
    assert len(recording) == 0


def test_an_object_and_a_value_exclude_each_other(recording: Manual) -> None:
    with pytest.raises(InvalidRowsError, match="being written"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        staged.open("raw")
        staged.rec.update(raw=b"text")
    with pytest.raises(InvalidRowsError, match="already"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec.update(recording=1, raw=b"text")
        staged.open("raw")


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("inside", "in the row itself"),
        ("frames", "in the row itself"),
        ("own", "not written piece by piece"),
        ("movie", "use staged.zarr"),
        ("trace", "use staged.npy"),
        ("spikes", "use staged.frames"),
    ],
)
def test_other_ways_to_write_are_named(recording: Manual, attribute: str, reason: str) -> None:
    with pytest.raises(StorageError, match=reason), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 1
        staged.open(attribute)


def test_mistakes_are_told(recording: Manual) -> None:
    with recording.staged_insert1 as ended:
        ended.rec["recording"] = 0
    with pytest.raises(StorageError, match="has ended"):
        ended.open("raw")
    recording.delete_quick()
    with pytest.raises(UnknownAttributeError), recording.staged_insert1 as staged:
        staged.rec["recordng"] = 1
    with recording.staged_insert1 as staged:
        staged.rec["recording"] = 1
        with pytest.raises(UnknownAttributeError, match="raw"):
            staged.open("rwa")
        with pytest.raises(StorageError, match="no extension"):
            staged.open("raw", "/../x")
        with pytest.raises(StorageError, match="not every machine"):
            staged.open("note", ".a\x7f")
    with pytest.raises(StorageError, match="Nothing was written"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 2
        staged.store("raw")
    with pytest.raises(StorageError, match="cannot be opened 'q'"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 2
        staged.open("raw", mode="q")
    with pytest.raises(DjflowError, match=r"staged\.open\(\) already"), recording.staged_insert1 as staged:  # noqa: PT012
        staged.rec["recording"] = 2
        staged.open("raw")
        staged.store("raw")
    assert len(recording) == 1


def test_other_values_may_be_arrays(recording: Manual) -> None:
    with recording.staged_insert1 as staged:
        staged.rec.update(recording=1, trace=np.arange(3))
        staged.open("value").write(b"staged")

    assert recording.fetch1("trace").load().tolist() == [0, 1, 2]
    assert recording.fetch1("value") == b"staged"
