"""Objects are copied and moved whole, checked, and no row ever refers to what is not there."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from tests.tables.objects.actors import SharedText
from tests.tables.objects.lab import Lab
from tests.tables.objects.two_stores import archive_of, files_of, references, stores_of

from djflow.errors import ConfigError, InvalidArgumentError, QueryError, UnknownAttributeError
from djflow.gc import GarbageCollector
from djflow.pipeline.tiers import Computed
from djflow.relation.database import Database
from djflow.tables.tiers import Manual


@pytest.fixture
def database(two_stores_database: Database) -> Database:
    return two_stores_database


def test_copies_have_the_same_paths_and_rows_stay(lab: Lab) -> None:
    lab.insert(1, 2, 3)
    before = references(lab)

    done = lab.recording().copy_objects("archive")

    assert done["done"].to_list() == ["copied"] * 4
    assert done.filter(attribute="note").select("rows", "checked").rows() == [(3, "checksum")]
    assert done["problem"].is_null().all()
    assert done["path"].to_list() == done["new_path"].to_list()
    assert {path: archive_of(lab).get(path) for path in files_of(archive_of(lab))} == {
        path: lab.store.get(path) for path in lab.stored()
    }
    assert references(lab) == before
    assert lab.recording().copy_objects("archive")["done"].to_list() == ["was there"] * 4


def test_a_copy_that_is_not_what_was_written_is_written_again(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.recording().copy_objects("archive")
    path = references(lab)[2]["path"]
    archive_of(lab).put(path, b"something else")

    done = lab.recording().copy_objects("archive", ["trace"])

    assert done["done"].to_list() == ["was there", "copied"]
    assert archive_of(lab).get(path) == lab.store.get(path)


def test_only_the_rows_and_attributes_that_are_asked_for_are_copied(lab: Lab) -> None:
    lab.insert(1, 2)

    done = (lab.recording() & "recording = 2").copy_objects("archive", ["trace"])

    assert done["path"].to_list() == [references(lab)[2]["path"]]
    assert len(files_of(archive_of(lab))) == 1


def test_a_plan_says_what_would_move_and_moves_nothing(lab: Lab) -> None:
    lab.insert(1, 2)
    before = references(lab)

    plan = lab.recording().move_objects("archive")

    assert plan.select("attribute", "rows", "done").rows() == [
        ("trace", 1, "to be moved"),
        ("trace", 1, "to be moved"),
        ("note", 2, "to be moved"),
    ]
    assert plan["bytes"].is_not_null().all()
    assert (references(lab), files_of(archive_of(lab))) == (before, set())


def test_rows_refer_to_what_was_moved_and_the_old_objects_are_collected(lab: Lab) -> None:
    lab.insert(1, 2, 3)
    values = lab.recording().to_dicts()

    done = lab.recording().move_objects("archive", dry_run=False)

    assert done["done"].to_list() == ["moved"] * 4
    assert set(done["new_path"]) == files_of(archive_of(lab))
    kept = [*references(lab).values(), *references(lab, "note").values()]
    assert {each["store"] for each in kept} == {"archive"}
    assert {each["path"].split("/")[0] for each in kept} == {"rows", "contents"}
    for before, after in zip(values, lab.recording().to_dicts(), strict=True):
        assert np.array_equal(before["trace"], after["trace"])
        assert before["note"] == after["note"]
    assert lab.recording().verify().is_empty()
    assert lab.collector().collect(dry_run=False)["deleted"] == 4
    assert lab.stored() == set()
    archive = GarbageCollector(lab.schema, store="archive")
    assert archive.plan().is_empty()
    assert archive.audit().is_empty()


def test_nothing_is_left_to_move_afterwards_and_what_moved_can_move_back(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.recording().move_objects("archive", dry_run=False)

    assert lab.recording().move_objects("archive", dry_run=False).is_empty()
    assert lab.recording().move_objects("local", dry_run=False)["done"].to_list() == ["moved"] * 3
    assert lab.recording().verify().is_empty()
    lab.collector().collect(dry_run=False)
    GarbageCollector(lab.schema, store="archive").collect(dry_run=False)
    assert lab.recording().verify().is_empty()


def test_two_names_of_one_place_are_one(lab: Lab) -> None:
    lab.insert(1)

    assert lab.recording().move_objects("same").is_empty()


def test_new_rows_go_where_the_type_says(lab: Lab) -> None:
    lab.insert(1)
    lab.recording().move_objects("archive", dry_run=False)
    lab.insert(2)

    assert stores_of(lab) == ["archive", "local"]
    assert lab.recording().verify().is_empty()


def test_rows_outside_of_the_query_keep_what_they_share(lab: Lab) -> None:
    lab.insert(1, 2)

    (lab.recording() & "recording = 1").move_objects("archive", dry_run=False)

    assert stores_of(lab, "note") == ["archive", "local"]
    assert lab.recording().verify().is_empty()


def test_old_references_are_compared_by_size(lab: Lab) -> None:
    lab.insert(1)
    lab.database.query(
        f"""UPDATE "{lab.schema.database}".recording SET trace = (trace::jsonb - 'checksum' - 'size')::json"""
    )

    done = lab.recording().move_objects("archive", ["trace"], dry_run=False)

    assert done.select("done", "checked").rows() == [("moved", "size")]
    assert lab.recording().verify().is_empty()


def test_trees_keys_of_any_type_and_computed_rows_move(lab: Lab) -> None:
    @lab.schema
    class Session(Manual):
        definition = """
        subject : varchar(20)
        at : datetime(3)
        id : uuid
        gain : decimal(6,2)
        code : bytes
        ---
        movie : <zarr@>
        files : <object@>
        """

    @lab.schema
    class Mean(Computed):
        definition = """
        -> Session
        ---
        mean : <npy@>
        table_of : <parquet@>
        """

        def make(self, key: dict[str, Any]) -> None:
            movie = (Session() & key).fetch1("movie")
            frame = pl.DataFrame({"a": [1, 2]})
            self.insert1({**key, "mean": movie[:].mean(axis=0), "table_of": frame})

    folder = Path(lab.database.settings.stores.named("local").location).with_name("files")
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")
    movie = np.random.default_rng(0).random((4, 3, 3))
    key = {"subject": "a/b 'ü", "at": "2024-01-01 10:00:00.5", "gain": "1.50", "code": b"\0'"}
    key["id"] = "12345678-1234-5678-1234-567812345678"
    Session().insert1({**key, "movie": movie, "files": folder})
    Mean().populate()

    for table in (Session(), Mean()):
        done = table.move_objects("archive", dry_run=False)
        assert done["done"].to_list() == ["moved"] * 2
        assert table.verify().is_empty()
    assert np.array_equal(Session().fetch1("movie")[:], movie)
    assert Session().fetch1("files").listdir() == ["a.txt", "b.txt"]
    assert np.array_equal(Mean().fetch1("mean"), movie.mean(axis=0))


def test_files_of_users_stay_where_they_are(lab: Lab) -> None:
    @lab.schema
    class Raw(Manual):
        definition = """
        raw : int32
        ---
        file : <filepath@local>
        """

    lab.store.put("mine/a", b"text")
    Raw().insert1((1, "mine/a"))

    assert Raw().move_objects("archive").is_empty()
    with pytest.raises(InvalidArgumentError, match="are yours"):
        Raw().move_objects("archive", ["file"])


def test_what_cannot_be_moved_is_refused_before_anything_is(lab: Lab) -> None:
    lab.insert(1)
    table = lab.recording()
    with pytest.raises(ConfigError, match="Did you mean 'archive'"):
        table.move_objects("archiv")
    with pytest.raises(UnknownAttributeError, match="Did you mean 'trace'"):
        table.copy_objects("archive", ["trac"])
    with pytest.raises(InvalidArgumentError, match="does not refer to objects"):
        table.copy_objects("archive", ["recording"])
    with lab.database.transaction, pytest.raises(QueryError, match="outside of a transaction"):
        table.move_objects("archive", dry_run=False)


def test_a_codec_whose_references_only_it_understands_is_refused(lab: Lab) -> None:
    @lab.schema
    class Text(Manual):
        definition = """
        text : int32
        ---
        trace : <npy@>
        shared : <shared_text_example@>
        """

    assert SharedText.name == "shared_text_example"
    with pytest.raises(InvalidArgumentError, match="only it understands"):
        Text().move_objects("archive")
    assert Text().move_objects("archive", ["trace"]).is_empty()


def test_a_bar_shows_how_far_a_move_is(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    lab.insert(1)
    lab.recording().move_objects("archive", dry_run=False)
    assert capsys.readouterr().err == ""
    lab.recording().move_objects("local", dry_run=False, display_progress=True)
    assert "move objects of" in capsys.readouterr().err
