"""What a collection once took, or a check once stumbled over, and must not again."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.tables.objects.lab import DEFINITION, Lab
from tests.tables.objects.two_stores import two_stores

from djflow.configuration import StoreSettings
from djflow.configuration.frozen import FrozenMapping
from djflow.configuration.secret import Secret
from djflow.errors import BucketInaccessible, ConfigError, QueryError
from djflow.gc import GarbageCollector
from djflow.relation.database import Database
from djflow.storage.codec import Codec
from djflow.storage.local import LocalStore
from djflow.tables.objects.references import place_of
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual


class ChainedText(Codec):
    """Texts that lie in the default store, whatever the type says."""

    name = "chained_text_example"

    def get_dtype(self, is_store: bool) -> str:  # noqa: FBT001 - the documented signature
        del is_store
        return "<hash@>"

    def encode(self, value: Any, *, key: Any = None, store_name: str | None = None) -> bytes:
        del key, store_name
        return str(value).encode()

    def decode(self, stored: Any, *, key: Any = None) -> str:
        del key
        return str(bytes(stored).decode())


def test_what_a_codec_keeps_in_a_store_that_its_type_does_not_name_is_not_collected(
    lab: Lab, tmp_path: Path
) -> None:
    @lab.schema
    class Text(Manual):
        definition = """
        text : int32
        ---
        words : <chained_text_example>
        """

    Text().insert([(1, "well chosen")])
    path = next(iter(lab.stored()))

    assert lab.collector().collect(dry_run=False)["deleted"] == 0
    assert Text().fetch1("words") == "well chosen"
    lab.schema.dump(tmp_path / "archive")
    assert path.rpartition("/")[2] in {file.name for file in (tmp_path / "archive").rglob("*")}
    lab.store.put(path, b"damaged")
    assert Text().verify()["problem"].to_list() == ["corrupt"]


def test_a_reference_to_a_store_that_is_not_configured_keeps_what_lies_under_its_path(lab: Lab) -> None:
    lab.insert(1, 2)
    refer = f"""UPDATE "{lab.schema.database}".recording SET note = jsonb_set(note::jsonb, '{{store}}', $1)"""
    lab.database.session.execute(f"{refer} WHERE recording = 1", ['"former"'])
    lab.delete("recording = 2")
    before = lab.stored()

    lab.collector().collect(dry_run=False)

    assert {path for path in before if path.startswith("_hash")} <= lab.stored()
    assert not any(path.startswith("_hash") for path in lab.collector().audit()["path"])


def test_a_reference_to_another_configured_store_keeps_nothing_here(tmp_path: Path, schema_name: str) -> None:
    settings = two_stores(tmp_path)
    database = Database(lambda: settings)
    schema = Schema(schema_name, connection=database)
    lab = Lab(schema, schema(type("Recording", (Manual,), {"definition": DEFINITION})))
    lab.insert(1)
    refer = f"""UPDATE "{schema_name}".recording SET note = jsonb_set(note::jsonb, '{{store}}', $1)"""

    lab.database.session.execute(refer, ['"archive"'])

    collector = GarbageCollector(schema, grace=timedelta(0))
    assert collector.plan()["kind"].to_list() == ["shared"]
    lab.database.session.execute(refer, ['"same"'])
    assert collector.plan().is_empty()
    database.close()


@pytest.mark.parametrize(
    ("options", "location"),
    [
        ({"access_key": Secret("another"), "secret_key": Secret("person")}, "lab"),
        ({"endpoint": "HTTPS://s3.lab.org/"}, "/lab/"),
        ({"region": "eu-west-1", "secure": True}, "lab"),
    ],
)
def test_how_a_place_is_reached_makes_no_other_place(options: dict[str, object], location: str) -> None:
    plain = {"bucket": "b", "endpoint": "s3.lab.org", "access_key": Secret("k"), "secret_key": Secret("s")}
    one = StoreSettings("one", "s3", "lab", options=FrozenMapping(plain))
    other = StoreSettings("other", "s3", location, options=FrozenMapping({**plain, **options}))

    assert place_of(one) == place_of(other)
    assert place_of(one) != place_of(
        StoreSettings("third", "s3", "lab", options=FrozenMapping({"bucket": "c"}))
    )


def test_all_servers_of_amazon_have_the_same_buckets() -> None:
    bucket = {"bucket": "b"}
    places = {
        place_of(StoreSettings("one", "s3", "lab", options=FrozenMapping({**bucket, **more})))
        for more in (
            {},
            {"endpoint": "s3.amazonaws.com"},
            {"endpoint": "https://s3.eu-west-1.amazonaws.com/"},
        )
    }

    assert len(places) == 1


def test_a_folder_is_one_place_however_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "store")
    names = ("store", "store/", "x/../store", "link")

    places = {place_of(StoreSettings(name, "file", f"{tmp_path}/{name}")) for name in names}

    assert len(places) == 1


def test_an_audit_knows_objects_that_a_file_system_lists_in_another_case(lab: Lab) -> None:
    @lab.schema
    class Site(Manual):
        definition = """
        site : varchar(20)
        ---
        plan : <npy@>
        """

    Site().insert([("North.", np.arange(3))])
    [path] = lab.stored()
    content = lab.store.get(path)
    lab.store.remove(path)
    lab.store.put(path.replace("North.", "north"), content)

    assert lab.collector().audit().is_empty()


@pytest.mark.parametrize("fault", [{"store": 5}, {"checksum": 5}, {"store": ["a"]}])
def test_a_row_with_a_malformed_reference_is_a_problem_of_that_row(lab: Lab, fault: dict[str, Any]) -> None:
    lab.insert(1, 2)
    path = (lab.recording() & "recording = 1").fetch1("trace").path
    reference = json.dumps({"path": path, **fault})
    update = f'UPDATE "{lab.schema.database}".recording SET trace = $1::json WHERE recording = 1'

    lab.database.session.execute(update, [reference])

    assert lab.recording().verify().select("recording", "problem").rows() == [(1, "unreadable")]


def test_a_store_that_cannot_be_reached_ends_a_collection_at_once(lab: Lab, tmp_path: Path) -> None:
    lab.insert(1)
    lab.delete()
    store = lab.store
    assert isinstance(store, LocalStore)
    root = store.root
    root.rename(tmp_path / "unmounted")

    with pytest.raises(BucketInaccessible):
        lab.collector().collect(dry_run=False)

    (tmp_path / "unmounted").rename(root)
    assert lab.collector().collect(dry_run=False)["deleted"] == 2


class Dying(LocalStore):
    """A store whose server is gone after the first object was written; it counts who asks it still."""

    asked: ClassVar[list[str]] = []
    is_dead: ClassVar[bool] = False

    def create(self, path: str) -> Any:
        if self.is_dead:
            raise BucketInaccessible("nobody answers")
        type(self).is_dead = True
        return LocalStore.create(self, path)

    def remove(self, path: str) -> None:
        self.asked.append(path)
        raise BucketInaccessible("nobody answers")

    def list(self, prefix: str) -> Any:
        self.asked.append(prefix)
        raise BucketInaccessible("nobody answers")


def test_a_store_that_dies_in_the_middle_of_an_insert_does_not_hold_up_its_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.insert(0)
    alive = lab.store
    assert isinstance(alive, LocalStore)
    dying = Dying(alive.root, alive.name, alive.layout)
    with monkeypatch.context() as patch:
        patch.setattr(type(lab.database), "open_store", lambda *_: dying)
        with pytest.raises(BucketInaccessible):
            lab.insert(*range(1, 200))

    assert len(Dying.asked) == 2  # an object, and whether the store answers at all
    assert len(lab.recording()) == 1
    lab.collector().collect(dry_run=False)
    assert lab.stored() == lab.recorded()
    assert lab.recording().verify().is_empty()


def test_a_store_with_wrong_settings_is_not_taken_for_wrong_values(tmp_path: Path, schema_name: str) -> None:
    overlapping = {"protocol": "file", "location": str(tmp_path), "hash_prefix": "x", "schema_prefix": "x/y"}
    settings = two_stores(tmp_path, default="overlapping", overlapping=overlapping)
    database = Database(lambda: settings)
    schema = Schema(schema_name, connection=database)
    lab = Lab(schema, schema(type("Recording", (Manual,), {"definition": DEFINITION})))

    with pytest.raises(ConfigError, match="lies inside hash_prefix"):
        lab.insert(1)

    database.close()


@pytest.mark.parametrize(
    "statements",
    [
        "CREATE TABLE {schema}.copied AS TABLE {schema}.recording; DELETE FROM {schema}.recording",
        "COMMENT ON COLUMN {schema}.recording.trace IS NULL; COMMENT ON COLUMN {schema}.recording.note IS ''",
        "COMMENT ON COLUMN {schema}.recording.trace IS ':<npy@'",
        "COMMENT ON COLUMN {schema}.recording.trace IS ':<not_installed@>:'",
        "ALTER TABLE {schema}.recording ALTER trace TYPE jsonb USING trace::jsonb",
    ],
)
def test_copies_of_rows_that_somebody_made_by_hand_keep_their_objects(lab: Lab, statements: str) -> None:
    lab.insert(1, 2)
    before = lab.stored()
    for statement in statements.split("; "):
        lab.database.session.execute(statement.format(schema=f'"{lab.schema.database}"'))

    lab.collector().collect(dry_run=False)

    assert lab.stored() == before


def test_a_copy_of_a_database_removes_nothing_before_it_is_the_only_one(lab: Lab) -> None:
    lab.insert(1, 2)
    lab.delete("recording = 1")
    collector = lab.collector()
    lab.database.query(
        f'COMMENT ON TABLE "{lab.schema.database}"."~objects" IS '
        "'djflow: objects of database 1 of server 2'"  # as a dump of another server brings it
    )
    stored = lab.stored()

    assert collector.collect()["schema_paths_orphaned"] == 1
    for act in (collector.collect, collector.audit):
        with pytest.raises(QueryError, match="another database, of which this is a copy"):
            act(dry_run=False)
    assert lab.stored() == stored

    collector.take_over()
    assert collector.collect(dry_run=False)["deleted"] == 1
