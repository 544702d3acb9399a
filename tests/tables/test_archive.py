"""Archives are whole or not there; what is damaged is found before the database is touched."""

import contextlib
import json
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import djflow as dj
from djflow.engine.run import streamed
from djflow.errors import (
    ArchiveError,
    ConfigError,
    DjflowError,
    IntegrityError,
    MissingExternalFile,
    NativeTypeWarning,
)
from djflow.planner.nodes import Scan
from djflow.storage.local import LocalStore
from djflow.tables.archive import content_hash, read_archive, verify_archive
from djflow.tables.archive.objects import files_of
from djflow.tables.archive.stored import stored
from djflow.tables.schema import Schema


def contents_of(schema: Schema) -> dict[str, str]:
    return {
        table.name.table: content_hash(streamed(schema.connection.session, Scan(stored(table))))
        for table in schema.connection.catalog([schema.database])
    }


def declare(schema: Schema) -> Any:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        name = '' : varchar(20)
        """

    @schema
    class Recording(dj.Manual):
        definition = """
        -> Subject
        recording : int16
        ---
        arr = null : <npy@>
        cube = null : <zarr@>
        big = null : <blob@>
        """

        class Note(dj.Part):
            definition = """
            -> master
            note : int8
            """

    return Subject, Recording


@pytest.fixture
def lab(schema: Schema) -> Schema:
    """A small schema with rows and objects of every kind."""
    subject, recording = declare(schema)
    subject().insert([(1, "ann"), (2, "bob"), (3, "eve")])
    rows = [{"subject": n, "recording": 1, "arr": np.arange(n), "cube": np.ones((n, 2))} for n in (1, 2)]
    recording().insert([*rows, {"subject": 3, "recording": 1, "big": "shared"}])
    recording.Note().insert([(1, 1, 1), (2, 1, 1)])
    return schema


def objects_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# damage


def test_a_sound_archive_is_verified_without_a_database(lab: Schema, tmp_path: Path) -> None:
    summary = lab.dump(tmp_path / "kept")
    verified = verify_archive(tmp_path / "kept")
    assert verified.rows == sum(summary.rows.values()) == 8
    assert verified.objects == summary.objects == 5
    files = objects_in(tmp_path / "kept") - {"manifest.json"}
    assert verified.files == len(files)
    assert verified.size == sum((tmp_path / "kept" / file).stat().st_size for file in files)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
def test_each_damaged_file_is_named_and_nothing_is_restored(
    lab: Schema, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    lab.dump(tmp_path / "kept")
    lab.drop(prompt=False)
    kept = tmp_path / "kept"
    for name in sorted(objects_in(kept)):
        data = (kept / name).read_bytes()
        damage(kept / name)
        for reading in (verify_archive, lambda path: dj.restore(path, connection=lab.connection)):
            with pytest.raises(ArchiveError) as caught:
                reading(kept)
            if damage is not Path.unlink or name != "manifest.json":
                assert caught.value.file == name
            assert str(kept) in str(caught.value)
        assert not lab.exists
        (kept / name).write_bytes(data)
    dj.restore(kept, connection=lab.connection)


def edit_manifest(folder: Path, change: Callable[[dict[str, Any]], None], *, sign: bool = True) -> None:
    from djflow.tables.archive.manifest import _checksum

    value = json.loads((folder / "manifest.json").read_text())
    del value["sha256"]
    change(value)
    value["sha256"] = _checksum(value) if sign else "0"
    (folder / "manifest.json").write_text(json.dumps(value))


def test_a_changed_manifest_is_found(lab: Schema, tmp_path: Path) -> None:
    lab.dump(tmp_path / "kept")
    edit_manifest(tmp_path / "kept", lambda value: value.update(created="yesterday"), sign=False)
    with pytest.raises(ArchiveError, match="checksum"):
        verify_archive(tmp_path / "kept")


def test_a_later_format_is_not_misread(lab: Schema, tmp_path: Path) -> None:
    lab.dump(tmp_path / "kept")
    edit_manifest(tmp_path / "kept", lambda value: value.update(version=2))
    with pytest.raises(ArchiveError, match="Upgrade djflow"):
        read_archive(tmp_path / "kept")


def test_rows_that_do_not_hash_to_what_the_manifest_says_are_found(lab: Schema, tmp_path: Path) -> None:
    def other_hash(value: dict[str, Any]) -> None:
        value["tables"][0]["content"] = "0" * 64

    lab.dump(tmp_path / "kept")
    edit_manifest(tmp_path / "kept", other_hash)
    with pytest.raises(ArchiveError, match="not those that were written"):
        verify_archive(tmp_path / "kept")


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b"])
def test_no_path_of_a_manifest_leads_out_of_the_archive(lab: Schema, tmp_path: Path, path: str) -> None:
    def lead_out(value: dict[str, Any]) -> None:
        value["objects"][0]["path"] = path

    lab.dump(tmp_path / "kept")
    edit_manifest(tmp_path / "kept", lead_out)
    with pytest.raises(ArchiveError, match="no path in a store"):
        read_archive(tmp_path / "kept")


@pytest.mark.parametrize("path", ["nothing", "kept.partial", "folder"])
def test_what_is_no_archive_is_not_read(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ArchiveError, match=path):
        read_archive(tmp_path / path)


# writing


def test_a_path_that_exists_is_left_alone(lab: Schema, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    with pytest.raises(ArchiveError, match="exists already"):
        lab.dump(tmp_path / "kept")
    (tmp_path / "other.partial").mkdir()
    with pytest.raises(ArchiveError, match="being written"):
        lab.dump(tmp_path / "other")
    assert (tmp_path / "other.partial").exists()


def test_an_object_that_is_missing_leaves_no_archive(lab: Schema, tmp_path: Path) -> None:
    next((tmp_path / "store").rglob("*.npy")).unlink()
    with pytest.raises(MissingExternalFile):
        lab.dump(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("day", "'infinity'::date", "infinite|too large"),
        ("at", "'-infinity'::timestamp", "infinite|too small"),
        ("numbers", "'{{1,2},{3,4}}'::int4[]", "several dimensions"),
        ("numbers", "'[0:1]={1,2}'::int4[]", "several dimensions"),
        ("money", "'NaN'::numeric(8,3)", "NaN"),
    ],
)
def test_what_no_file_can_hold_is_refused(
    schema: Schema, tmp_path: Path, column: str, value: str, reason: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NativeTypeWarning)

        @schema
        class Odd(dj.Manual):
            definition = """
            number : int32
            ---
            day = null : date
            at = null : datetime
            numbers = null : integer[]
            money = null : decimal(8,3)
            """

    Odd().insert1({"number": 1})
    schema.connection.query(f'UPDATE "{schema.database}".odd SET {column} = {value}')
    with pytest.raises(DjflowError, match=reason):
        schema.dump(tmp_path / "kept")
    assert not list(tmp_path.glob("kept*"))


def test_types_that_definitions_do_not_know_come_back(schema: Schema, tmp_path: Path) -> None:
    name = schema.database
    for statement in (
        f'CREATE SCHEMA "{name}"',
        f"""CREATE TABLE "{name}".odd (id int PRIMARY KEY, ip inet, place point, doc json, bits bit(3),
        stay interval[], span int4range, t timetz)""",
        f"""INSERT INTO "{name}".odd VALUES (1, '10.0.0.1/8', '(1,2)', '{{"b": 1,  "a": 2}}', B'101',
        '{{1 mon,NULL}}', '[1,5)', '12:00:00+03')""",
        f'INSERT INTO "{name}".odd VALUES (2)',
    ):
        schema.connection.query(statement)
    before = schema.connection.query(f'SELECT odd::text FROM "{name}".odd ORDER BY id')
    schema.dump(tmp_path / "kept")
    schema.drop(prompt=False)
    schema.restore(tmp_path / "kept")
    assert schema.connection.query(f'SELECT odd::text FROM "{name}".odd ORDER BY id') == before


def test_files_are_plain_and_tell_their_types(lab: Schema, tmp_path: Path) -> None:
    lab.dump(tmp_path / "kept")
    rows = pq.read_table(tmp_path / "kept" / "tables" / lab.database / "recording.parquet")
    assert rows.column_names == ["subject", "recording", "arr", "cube", "big"]
    assert rows.schema.field("arr").metadata == {b"type": b"<npy@>", b"stored": b"json"}
    manifest = json.loads((tmp_path / "kept" / "manifest.json").read_text())
    assert [table["table"] for table in manifest["tables"]] == ["subject", "recording", "recording__note"]
    assert manifest["tables"][1]["definition"].startswith("-> Subject")
    for kept in manifest["objects"]:
        [file, *_] = kept["files"]
        assert (tmp_path / "kept" / "objects" / kept["store"] / kept["path"] / file["path"]).exists()


def test_protected_rows_stay_protected_and_what_is_not_kept_is_told(lab: Schema, tmp_path: Path) -> None:
    name = lab.database
    lab.protect_rows(lab["Subject"])
    lab.connection.query(f'ALTER TABLE "{name}".subject ADD CHECK (subject > 0)')
    summary = lab.dump(tmp_path / "kept")
    assert {table.table: list(facts) for table, facts in summary.not_kept.items()} == {
        "subject": ["CHECK ((subject > 0))"]
    }
    triggers = f"SELECT tgname FROM pg_trigger WHERE tgrelid = '\"{name}\".subject'::regclass ORDER BY 1"
    before = lab.connection.query(triggers)
    defaults = "SELECT column_name, column_default FROM information_schema.columns WHERE table_schema = $1"
    owner = lab.connection.query(f"{defaults} AND column_name = '_owner'", (name,))
    lab.drop(prompt=False)
    lab.restore(tmp_path / "kept")
    own = [trigger for trigger in lab.connection.query(triggers) if "own_rows" in trigger[0]]
    assert own == [trigger for trigger in before if "own_rows" in trigger[0]]
    assert lab.connection.query(f"{defaults} AND column_name = '_owner'", (name,)) == owner
    lab["Subject"].insert1((9, "new"))


# objects


def test_an_object_that_is_in_the_way_stops_a_restore(lab: Schema, tmp_path: Path) -> None:
    lab.dump(tmp_path / "kept")
    lab.drop(prompt=False)
    before = objects_in(tmp_path / "store")
    file = next((tmp_path / "store").rglob("*.npy"))
    data = file.read_bytes()
    file.write_bytes(b"another")
    with pytest.raises(ArchiveError, match="another object"):
        lab.restore(tmp_path / "kept")
    assert file.read_bytes() == b"another"
    assert not lab.exists
    file.write_bytes(data)
    [chunk, *_] = [
        path for path in (tmp_path / "store").rglob("*") if "zarr/c" in path.as_posix() and path.is_file()
    ]
    (chunk.parent / "more").write_bytes(b"")
    with pytest.raises(ArchiveError, match="another object"):
        lab.restore(tmp_path / "kept")
    (chunk.parent / "more").unlink()
    chunk.unlink()  # as after a restore that was cut off
    assert lab.restore(tmp_path / "kept").files == 1
    assert objects_in(tmp_path / "store") == before


def test_a_store_that_is_not_configured_stops_a_restore(lab: Schema, tmp_path: Path) -> None:
    def rename_store(value: dict[str, Any]) -> None:
        for kept in value["objects"]:
            kept["store"] = "elsewhere"

    lab.dump(tmp_path / "kept")
    lab.drop(prompt=False)
    edit_manifest(tmp_path / "kept", rename_store)
    (tmp_path / "kept" / "objects" / "local").rename(tmp_path / "kept" / "objects" / "elsewhere")
    with pytest.raises(ConfigError, match="elsewhere"):
        lab.restore(tmp_path / "kept")
    assert not lab.exists


def test_a_restore_that_fails_leaves_objects_for_the_rows_that_are_there(lab: Schema, tmp_path: Path) -> None:
    lab.dump(tmp_path / "kept")
    before = objects_in(tmp_path / "store")
    empty(tmp_path / "store")
    with pytest.raises(DjflowError):
        lab.restore(tmp_path / "kept")  # the rows are there
    assert objects_in(tmp_path / "store") == before


def empty(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            path.unlink()


class Distant(LocalStore):
    """A store without paths in the file system."""

    def local_path(self, path: str) -> Path | None:  # noqa: ARG002 - the protocol's
        return None


def test_the_files_of_an_object_are_found_in_any_store(tmp_path: Path) -> None:
    for store in (LocalStore(tmp_path), Distant(tmp_path)):
        store.put("a/one.npy", b"1")
        store.put("a/tree.zarr/zarr.json", b"{}")
        store.put("a/tree.zarr/c/0/0", b"0")
        assert files_of(store, "a/one.npy") == [""]
        assert files_of(store, "a/tree.zarr") == ["c/0/0", "zarr.json"]


# deletes


def test_a_delete_can_be_undone(lab: Schema, tmp_path: Path) -> None:
    before = contents_of(lab)
    subject: Any = lab["Subject"]
    assert (subject & "subject < 3").delete(archive=tmp_path / "gone", prompt=False) == 2
    assert len(subject) == 1
    summary = dj.restore(tmp_path / "gone", connection=lab.connection)
    assert sum(summary.inserted.values()) == 6
    assert contents_of(lab) == before


@pytest.mark.parametrize("chosen", ["top", "summary", "none"])
def test_any_selection_of_rows_can_be_undone(lab: Schema, tmp_path: Path, chosen: str) -> None:
    before = contents_of(lab)
    subject, recording = lab["Subject"], lab["Recording"]
    many = subject.aggr(recording, n="count(*)") & "n > 0"
    rows = {
        "top": subject & dj.Top(2, "subject DESC"),
        "summary": subject & many,
        "none": subject & "subject > 9",
    }
    deleted = rows[chosen].delete(archive=tmp_path / "gone", prompt=False)
    assert deleted == {"top": 2, "summary": 3, "none": 0}[chosen]
    dj.restore(tmp_path / "gone", on_conflict="match", connection=lab.connection)
    assert contents_of(lab) == before


def test_rows_that_lost_their_parents_do_not_come_back(lab: Schema, tmp_path: Path) -> None:
    recording, subject = lab["Recording"], lab["Subject"]
    (recording & "subject = 1").delete(archive=tmp_path / "gone", prompt=False)
    (subject & "subject = 1").delete(prompt=False)
    before = contents_of(lab)
    with pytest.raises(IntegrityError):
        dj.restore(tmp_path / "gone", connection=lab.connection)
    assert contents_of(lab) == before


def test_the_archive_of_a_delete_that_was_rolled_back_goes(lab: Schema, tmp_path: Path) -> None:
    before = contents_of(lab)
    with contextlib.suppress(ZeroDivisionError), lab.connection.transaction:
        lab["Subject"].delete(archive=tmp_path / "gone", prompt=False)
        assert (tmp_path / "gone").exists()
        raise ZeroDivisionError
    assert contents_of(lab) == before
    assert not list(tmp_path.glob("gone*"))


def test_an_archive_holds_what_its_transaction_sees(lab: Schema, tmp_path: Path) -> None:
    with lab.connection.transaction:
        lab["Subject"].insert1((9, "new"))
        lab.dump(tmp_path / "kept")
    archive = read_archive(tmp_path / "kept")
    assert {entry.table.name.table: entry.content for entry in archive.manifest.tables} == contents_of(lab)


def test_a_restore_is_undone_with_the_transaction_around_it(lab: Schema, tmp_path: Path) -> None:
    before = contents_of(lab)
    lab.dump(tmp_path / "kept")
    lab.drop(prompt=False)
    empty(tmp_path / "store")
    with contextlib.suppress(ZeroDivisionError), lab.connection.transaction:
        lab.restore(tmp_path / "kept")
        assert contents_of(lab) == before
        raise ZeroDivisionError
    assert not lab.exists
    assert all(name.startswith("_hash/") for name in objects_in(tmp_path / "store"))
    lab.restore(tmp_path / "kept")
    assert contents_of(lab) == before


def test_progress_is_shown_when_asked_for(
    lab: Schema, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lab.dump(tmp_path / "kept")
    verify_archive(tmp_path / "kept")
    assert capsys.readouterr().err == ""
    lab.dump(tmp_path / "again", display_progress=True)
    verify_archive(tmp_path / "again", display_progress=True)
    lab.restore(tmp_path / "again", on_conflict="skip", display_progress=True)
    shown = capsys.readouterr().err
    assert all(word in shown for word in ("archive again", "verify again", "restore again", "8.00/8.00"))


# crashes

# Each stands still when it has come to the rows of the second table.
PROGRAM = """
import sys, time
import djflow as dj
from djflow.configuration import changed
from djflow.relation.database import Database
from djflow.tables.archive.content import ContentHash

store = {"protocol": "file", "location": sys.argv[2]}
settings = changed(dj.config.settings, {"stores": {"default": "local", "local": store}})
database = Database(lambda: settings)
genuine = ContentHash.add

def slowly(self, batch):
    genuine(self, batch)
    if "cube" in batch.schema.names:
        print("ready", flush=True)
        time.sleep(600)

ContentHash.add = slowly
"""
DUMP = "dj.Schema(sys.argv[1], connection=database).dump(sys.argv[3])"
RESTORE = "dj.restore(sys.argv[3], connection=database)"


def kill_in_the_middle(program: str, environment: dict[str, str], *arguments: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_a_dump_that_is_killed_leaves_nothing_that_looks_whole(
    lab: Schema, tmp_path: Path, process_environment: dict[str, str]
) -> None:
    program = PROGRAM + DUMP
    place = str(tmp_path / "kept")
    kill_in_the_middle(program, process_environment, lab.database, str(tmp_path / "store"), place)
    assert not (tmp_path / "kept").exists()
    with pytest.raises(ArchiveError, match="never finished"):
        read_archive(tmp_path / "kept.partial")
    with pytest.raises(ArchiveError, match="cut off"):
        lab.dump(place)
    (tmp_path / "kept.partial").rename(tmp_path / "rest")
    lab.dump(place)
    verify_archive(place)


def test_a_restore_that_is_killed_leaves_nothing_in_the_database(
    lab: Schema, tmp_path: Path, process_environment: dict[str, str]
) -> None:
    before = contents_of(lab)
    lab.dump(tmp_path / "kept")
    lab.drop(prompt=False)
    program = PROGRAM + RESTORE
    store = str(tmp_path / "other_store")
    kill_in_the_middle(program, process_environment, lab.database, store, str(tmp_path / "kept"))
    deadline = time.monotonic() + 30
    while lab.exists and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not lab.exists
    lab.restore(tmp_path / "kept")
    assert contents_of(lab) == before
