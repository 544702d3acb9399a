"""What no row needs goes into quarantine, and then out of the store; nothing else does."""

from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from tests.tables.objects.lab import Lab

import djflow as dj
from djflow.errors import DjflowError, InvalidArgumentError, QueryError
from djflow.gc import GarbageCollector
from djflow.storage.codec import Codec
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual

if TYPE_CHECKING:
    import psycopg

ZERO = timedelta(0)


def test_what_rows_refer_to_is_never_collected(lab: Lab) -> None:
    lab.insert(1, 2)
    before = lab.stored()

    statistics = lab.collector().collect(dry_run=False)

    assert lab.stored() == before
    assert statistics["deleted"] == statistics["quarantined"] == 0
    assert (statistics["hash_paths_stored"], statistics["schema_paths_stored"]) == (1, 2)


def test_a_collection_only_reports_unless_told_otherwise(lab: Lab) -> None:
    lab.insert(1)
    lab.delete()
    before = lab.stored(), lab.recorded()

    statistics = lab.collector().collect()

    assert (lab.stored(), lab.recorded()) == before
    assert statistics == {
        "hash_paths_referenced": 0,
        "hash_paths_stored": 1,
        "hash_paths_orphaned": 1,
        "hash_paths_orphaned_bytes": _size(lab, "_hash"),
        "schema_paths_referenced": 0,
        "schema_paths_stored": 1,
        "schema_paths_orphaned": 1,
        "schema_paths_orphaned_bytes": _size(lab, "_schema"),
        "quarantined": 0,
        "released": 0,
        "deleted": 0,
        "bytes_freed": 0,
        "errors": 0,
    }


def test_what_no_row_refers_to_waits_in_quarantine_for_the_grace_period(lab: Lab) -> None:
    lab.insert(1)
    lab.delete()

    first = lab.collector(timedelta(days=7)).collect(dry_run=False)
    again = lab.collector(timedelta(days=7)).collect(dry_run=False)
    plan = lab.collector(timedelta(days=7)).plan()

    assert (first["quarantined"], first["deleted"]) == (2, 0)
    assert (again["quarantined"], again["deleted"]) == (0, 0)
    assert plan["why"].str.starts_with("no row refers to it; in quarantine until ").all()
    assert len(lab.stored()) == 2


def test_after_the_grace_period_it_is_removed(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.delete("recording = 1")
    lab.collector(timedelta(days=7)).collect(dry_run=False)
    freed = _size(lab, "_schema/" + lab.schema.database + "/recording/recording=1")

    statistics = lab.collector().collect(dry_run=False)

    assert (statistics["deleted"], statistics["bytes_freed"], statistics["errors"]) == (1, freed, 0)
    assert lab.stored() == lab.recorded()
    assert lab.recording().verify().is_empty()


def test_the_plan_tells_what_and_why(lab: Lab) -> None:
    lab.insert(1)
    lab.delete()

    plan = lab.collector().plan()

    assert plan.columns == [
        "schema", "store", "path", "kind", "bytes", "why", "recorded_at", "quarantined_at",
    ]  # fmt: skip
    assert plan["kind"].to_list() == ["shared", "owned"]
    assert set(plan["path"]) == lab.stored()
    assert set(plan["why"]) == {"no row refers to it"}
    assert plan["bytes"].min() > 0  # type: ignore[operator]


def test_a_content_that_another_row_shares_stays(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.delete("recording = 1")

    lab.collector().collect(dry_run=False)

    assert (lab.recording() & "recording = 2").fetch1("note") == "calm"


def test_a_content_in_quarantine_that_is_written_again_leaves_it(lab: Lab) -> None:
    lab.insert(1)
    lab.delete()
    lab.collector(timedelta(days=7)).collect(dry_run=False)
    lab.insert(2)

    lab.collector().collect(dry_run=False)

    assert lab.recording().fetch1("note") == "calm"


def test_what_was_copied_by_a_query_keeps_its_object(lab: Lab) -> None:
    @lab.schema
    class Copy(Manual):
        definition = """
        recording : int32
        ---
        trace = null : <npy@>
        """

    lab.insert(3)
    Copy().insert(lab.recording().proj("trace"))
    lab.delete()

    lab.collector().collect(dry_run=False)

    assert np.array_equal(Copy().fetch1("trace"), np.arange(3))


def test_a_reference_from_another_schema_keeps_an_object(lab: Lab) -> None:
    lab.insert(3)
    other = Schema(f"{lab.schema.database}_b", connection=lab.database)
    try:
        copy = other(type("Copy", (Manual,), {"definition": "recording : int32\n---\ntrace : <npy@>"}))
        copy().insert(lab.recording().proj("trace"))
        lab.delete()

        lab.collector().collect(dry_run=False)

        assert np.array_equal(copy().fetch1("trace"), np.arange(3))
    finally:
        other.drop(prompt=False)


def test_what_entered_quarantine_and_is_referred_to_again_is_released(lab: Lab) -> None:
    lab.insert(1)
    table = f'"{lab.schema.database}".recording'
    kept = lab.database.query(f"SELECT trace::text FROM {table}")
    lab.delete()
    lab.collector(timedelta(days=7)).collect(dry_run=False)
    lab.database.query(f"INSERT INTO {table} (recording, trace) VALUES (1, $1::text::json)", kept[0])

    statistics = lab.collector().collect(dry_run=False)

    assert (statistics["released"], statistics["deleted"]) == (1, 1)
    assert lab.recording().verify().is_empty()


def test_a_value_that_names_no_store_means_its_columns(lab: Lab) -> None:
    lab.insert(1)
    table = f'"{lab.schema.database}".recording'
    for column in ("trace", "note"):
        lab.database.query(f"UPDATE {table} SET {column} = ({column}::jsonb - 'store')::json")

    assert lab.collector().collect(dry_run=False)["quarantined"] == 0


class PairCodec(Codec):
    """Two contents a value, whose references stand in a list."""

    name = "pair_example"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        assert is_store
        return "json"

    def encode(self, value: Any, *, key: Any = None, store_name: str | None = None) -> Any:
        del key, store_name
        return {"halves": [{"place": path} for path in value]}

    def decode(self, stored: Any, *, key: Any = None) -> Any:
        del key
        return [half["place"] for half in stored["halves"]]


def test_references_in_the_values_of_ones_own_codec_are_found_wherever_they_stand(lab: Lab) -> None:
    @lab.schema
    class Pair(Manual):
        definition = """
        pair : int32
        ---
        paths : <pair_example@>
        """

    lab.insert(1, 2)
    kept = sorted(lab.stored())[1:]
    Pair().insert([(1, kept)])
    lab.delete()

    lab.collector().collect(dry_run=False)

    assert lab.stored() == set(kept)


def test_objects_of_a_dropped_table_are_collected(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.recording().drop(prompt=False)

    lab.collector().collect(dry_run=False)

    assert lab.stored() == set()


def test_a_content_that_was_removed_can_be_written_anew(lab: Lab) -> None:
    lab.insert(1)
    lab.delete()
    lab.collector().collect(dry_run=False)
    lab.insert(1, 2)

    lab.collector().collect(dry_run=False)

    assert lab.recording().to_arrays("note").tolist() == ["calm", "calm"]
    assert lab.recording().verify().is_empty()


def test_an_object_that_its_store_does_not_remove_is_tried_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lab.insert(1)
    lab.delete()
    with monkeypatch.context() as patch:
        patch.setattr(type(lab.store), "remove", _refuse)
        failed = lab.collector().collect(dry_run=False)

    statistics = lab.collector().collect(dry_run=False)

    assert (failed["errors"], failed["deleted"]) == (2, 0)
    assert "2 objects stay in store local for now: '_" in caplog.text
    assert (statistics["errors"], statistics["deleted"]) == (0, 2)
    assert lab.stored() == set()


def _refuse(_store: object, path: str) -> None:
    raise dj.errors.StorageError(f"{path!r} cannot be removed.")


def test_a_collection_of_one_schema_leaves_others_alone(lab: Lab) -> None:
    other = Schema(f"{lab.schema.database}_b", connection=lab.database)
    try:
        scan = other(type("Scan", (Manual,), {"definition": "scan : int32\n---\nimage : <npy@>"}))
        scan().insert([(1, np.arange(3))])
        scan().delete(prompt=False)
        before = lab.stored()

        lab.collector().collect(dry_run=False)
        assert lab.stored() == before

        GarbageCollector(lab.schema, other, grace=ZERO).collect(dry_run=False)
        assert lab.stored() == set()
    finally:
        other.drop(prompt=False)


def test_a_schema_without_objects_has_nothing_to_collect(schema: Schema) -> None:
    schema.create()

    assert GarbageCollector(schema).plan().is_empty()
    assert set(GarbageCollector(schema).collect(dry_run=False).values()) == {0}


def test_collecting_inside_a_transaction_is_refused(lab: Lab) -> None:
    lab.insert(1)
    with lab.database.transaction:
        for action in (lab.collector().collect, lab.collector().audit):
            with pytest.raises(QueryError, match="outside of a transaction"):
                action()


def test_a_collector_says_what_it_needs(lab: Lab) -> None:
    with pytest.raises(DjflowError, match="At least one schema must be given"):
        GarbageCollector()
    with pytest.raises(InvalidArgumentError, match=r"A schema is a dj\.Schema or its name"):
        GarbageCollector(3)
    with pytest.raises(InvalidArgumentError, match=r"grace is a datetime\.timedelta"):
        GarbageCollector(lab.schema, grace=7)  # type: ignore[arg-type]
    with pytest.raises(dj.errors.ConfigError, match="No store is named 'cold'"):
        GarbageCollector(lab.schema, store="cold")


def test_an_audit_finds_what_the_database_does_not_know(lab: Lab) -> None:
    lab.insert(1)
    name = lab.schema.database
    strange = [f"_hash/{name}/ab/cdef", f"_schema/{name}/recording/recording=9/trace_x.zarr/c/0"]
    for path in [*strange, f"_schema/{name}2/t/x", "_hash/elsewhere/x", "files/mine.txt"]:
        lab.store.put(path, b"data")

    found = lab.collector().audit()

    assert found["path"].to_list() == strange
    assert found["kind"].to_list() == ["shared", "owned"]
    assert found["bytes"].to_list() == [4, 4]
    assert lab.collector().plan().is_empty()


def test_what_an_audit_found_can_be_put_into_quarantine(lab: Lab) -> None:
    lab.insert(1)
    before = lab.stored()
    lab.store.put(f"_hash/{lab.schema.database}/abcdef", b"data")

    lab.collector().audit(dry_run=False)
    waiting = lab.collector(timedelta(days=7)).collect(dry_run=False)
    assert (waiting["deleted"], len(lab.stored())) == (0, 4 - 1)

    assert lab.collector().collect(dry_run=False)["deleted"] == 1
    assert lab.stored() == before
    assert lab.collector().audit().is_empty()


def test_an_audit_knows_folders_and_what_lies_beside_them(lab: Lab) -> None:
    @lab.schema
    class Movie(Manual):
        definition = """
        movie : int32
        ---
        frames : <zarr@>
        """

    Movie().insert([(1, np.zeros((4, 4)))])
    (root,) = {path.split(".zarr/")[0] for path in lab.stored()}
    lab.store.put(f"{root}.zarr.manifest.json", b"{}")

    assert lab.collector().audit().is_empty()


def test_objects_that_datajoint_wrote_show_up_once_no_row_refers_to_them(lab: Lab) -> None:
    lab.insert(1)
    lab.database.query(f'TRUNCATE "{lab.schema.database}"."~objects"')
    assert lab.collector().audit().is_empty()

    lab.delete()

    assert set(lab.collector().audit()["path"]) == lab.stored()


def _size(lab: Lab, prefix: str) -> int:
    return sum(file.size for file in lab.store.list(prefix))


def test_sizes_are_those_in_the_store(lab: Lab) -> None:
    lab.insert(5)
    lab.delete()

    plan = lab.collector().plan().select("path", size=pl.col("bytes"))

    assert dict(plan.iter_rows()) == {file.path: file.size for file in lab.store.list("")}


def test_tables_that_come_and_go_meanwhile_stop_no_collection(lab: Lab) -> None:
    lab.insert(1)
    lab.delete()
    ended = Event()

    def change() -> None:
        definition = "scan : int32\n---\nimage : <npy@>"
        while not ended.is_set():
            scan = lab.schema(type("Scan", (Manual,), {"definition": definition}))
            lab.schema.create()
            scan().drop(prompt=False)

    changing = Thread(target=change)
    changing.start()
    try:
        statistics = [lab.collector().collect(dry_run=False) for _ in range(5)]
    finally:
        ended.set()
        changing.join()

    assert sum(each["deleted"] for each in statistics) == 2


def test_a_locked_table_is_waited_for(lab: Lab, connection: "psycopg.Connection[Any]") -> None:
    lab.insert(1)
    lab.delete()
    results: list[dict[str, int]] = []
    collecting = Thread(target=lambda: results.append(lab.collector().collect(dry_run=False)))
    with connection.transaction():
        connection.execute(f'LOCK TABLE "{lab.schema.database}".recording'.encode())
        collecting.start()
        collecting.join(0.7)  # longer than it waits at a time
        assert collecting.is_alive()
    collecting.join()

    assert results[0]["deleted"] == 2


def test_objects_of_a_dropped_schema_are_found_and_collected(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    lab.insert(1, 2)

    def answer(question: str) -> str:
        asked.append(question)
        return "yes"

    monkeypatch.setattr("builtins.input", answer)
    lab.schema.drop(prompt=True)

    assert "Its 3 objects stay in their stores" in asked[0]
    collector = GarbageCollector(lab.schema, grace=ZERO)
    assert collector.plan().is_empty()
    assert set(collector.audit()["path"]) == lab.stored() != set()
    assert not lab.schema.exists

    collector.audit(dry_run=False)
    assert collector.collect(dry_run=False)["deleted"] == 3
    assert lab.stored() == set()
    lab.schema.drop(prompt=False)


def test_what_rows_of_others_refer_to_survives_the_drop_of_its_schema(lab: Lab) -> None:
    lab.insert(3)
    other = Schema(f"{lab.schema.database}_b", connection=lab.database)
    try:
        copy = other(type("Copy", (Manual,), {"definition": "recording : int32\n---\ntrace : <npy@>"}))
        copy().insert(lab.recording().proj("trace"))
        lab.schema.drop(prompt=False)

        collector = GarbageCollector(lab.schema, grace=ZERO)
        assert len(collector.audit(dry_run=False)) == 1  # the note
        collector.collect(dry_run=False)

        assert np.array_equal(copy().fetch1("trace"), np.arange(3))
        assert len(lab.stored()) == 1
    finally:
        other.drop(prompt=False)
