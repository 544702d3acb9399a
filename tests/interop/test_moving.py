"""Altered, saved, dumped and restored: a database that DataJoint made stays one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.interop.peer import Peer, stores_of

import djflow as dj
from djflow.configuration import Settings, changed
from djflow.errors import AlterationError, DataTypeError
from djflow.relation.database import Database

SUBJECT = """
# Animal subjects
subject_id : int32   # id
---
-> Species
name = null : varchar(80)   # nick
sex = 'U' : enum('M','F','U','X')
dob : date
weight : decimal(10,4)
uid = null : uuid
meta = null : json
ts = CURRENT_TIMESTAMP : datetime
f : float32
b : bool
raw = null : bytes
cage = 7 : int16   # its cage
unique index (name)
index (dob, sex)
"""
NEW = {"subject_id": 7, "species": "rat", "sex": "X", "dob": "2024-01-01", "weight": "1.2345", "f": 1, "b": 1}


@pytest.fixture
def altered(lab: Any) -> Any:
    """The pipeline with a column more, a label more, and longer texts and numbers."""
    lab.Subject.definition = SUBJECT
    lab.Subject.alter(prompt=False)
    return lab


def test_a_table_of_datajoint_is_altered_and_keeps_its_rows(lab: Any) -> None:
    before = lab.Subject.to_dicts()
    with pytest.raises(DataTypeError, match="sex"):
        lab.Subject.insert1(NEW, ignore_extra_fields=True)
    lab.Subject.definition = SUBJECT
    lab.Subject.alter(prompt=False)
    assert lab.Subject.to_dicts() == [{**row, "cage": 7} for row in before]
    lab.Subject.insert1(NEW)
    row = (lab.Subject & {"subject_id": 7}).fetch1()
    assert (row["sex"], str(row["weight"]), row["cage"]) == ("X", "1.2345", 7)
    assert lab.Subject.describe().split() == SUBJECT.split()
    assert not lab.Subject.alter(plan=True)


def test_what_an_alteration_would_lose_is_refused(lab: Any) -> None:
    lab.Subject.definition = SUBJECT.replace("sex = 'U' : enum('M','F','U','X')", "sex = 'F' : enum('M','F')")
    with pytest.raises(AlterationError, match="'U'"):
        lab.Subject.alter(prompt=False)
    assert lab.Subject.to_arrays("sex").tolist() == ["U"] * 3
    assert "cage" not in lab.Subject.heading.names


def sees_altered(dj: Any) -> dict[str, Any]:
    lab = dj.VirtualModule("lab", "lab")
    row = {
        "subject_id": 8,
        "species": "rat",
        "sex": "X",
        "dob": "2024-01-01",
        "weight": "1.2345",
        "f": 1,
        "b": True,
    }
    lab.Subject.insert1(row)
    inserted = (lab.Subject & {"subject_id": 8}).fetch1()
    heading = lab.Subject.heading
    return {
        "types": {name: heading[name].original_type for name in ("sex", "weight", "cage", "name")},
        "comment": heading["cage"].comment,
        "row": [inserted["sex"], str(inserted["weight"]), inserted["cage"]],
        "all": (lab.Subject & "subject_id < 3").to_arrays("cage").tolist(),
        "tables": dj.Schema("lab").list_tables(),
        "joined": len(lab.Subject * lab.Session),
    }  # fmt: skip


def test_datajoint_sees_what_was_altered(altered: Any, lab_peer: Peer) -> None:
    listed = altered.schema.list_tables()
    found = lab_peer(sees_altered)
    assert found["types"] == {
        "sex": "enum('M','F','U','X')",
        "weight": "decimal(10,4)",
        "cage": "int16",
        "name": "varchar(80)",
    }
    assert found["comment"] == "its cage"
    assert found["row"] == ["X", "1.2345", 7]
    assert (found["all"], found["joined"]) == ([7, 7, 7], 3)
    assert sorted(found["tables"]) == sorted(listed)
    assert (altered.Subject & {"subject_id": 8}).fetch1("sex") == "X"


def rekeyed(dj: Any) -> dict[str, Any]:
    lab = dj.VirtualModule("lab", "lab")

    class Ana(lab.Ana):  # type: ignore[misc, name-defined]
        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "y": 7.0, "z": 1})

    parents = lab.Session.describe().splitlines()
    Ana.populate(reserve_jobs=True)
    (lab.Subject & {"animal_id": 1}).delete()
    left = [len(table()) for table in (lab.Subject, lab.Session, lab.Session.Trial, lab.Spec, Ana, lab.Ana.P)]
    return {"key": lab.Ana.P.primary_key, "parents": parents, "left": left}


def test_a_new_name_of_a_key_goes_down_to_all_descendants(lab: Any, lab_peer: Peer) -> None:
    lab.Subject.definition = lab.Subject.definition.replace("subject_id", "animal_id")
    lab.Subject.alter(prompt=False, renames={"subject_id": "animal_id"})
    virtual = dj.virtual_schema("lab", connection=lab.schema.connection)
    assert len(virtual.Subject.proj() * virtual.Session * virtual.Spec * virtual.Ana) == 4
    assert virtual.Session().heading["mate_id"].lineage == "lab.subject.animal_id"
    found = lab_peer(rekeyed)
    assert found["key"] == ["animal_id", "session_idx", "species", "i"]
    assert found["parents"][0] == "-> lab.Subject"
    assert '-> [nullable] lab.Subject.proj(mate_id="animal_id")' in found["parents"]
    assert found["left"] == [2, 1, 0, 1, 2, 6]
    assert len(virtual.Ana()) == 2


@pytest.fixture
def elsewhere(lab_settings: Settings, empty_url: str, tmp_path: Path) -> Iterator[Database]:
    """Another database, with another folder as store of the same name."""
    place = {"name": str(conninfo_to_dict(empty_url)["dbname"])}
    main = {"protocol": "file", "location": str(tmp_path / "elsewhere")}
    settings = changed(lab_settings, {"database": place, "stores": {"default": "main", "main": main}})
    opened = Database(lambda: settings)
    yield opened
    opened.close()


def reads_all(dj: Any, schema: str) -> dict[str, Any]:
    import numpy as np

    lab = dj.VirtualModule("lab", schema)
    tables = (lab.Species, lab.Subject, lab.Session, lab.Session.Trial, lab.Spec, lab.Ana, lab.Ana.P)
    session = (lab.Session & {"session_idx": 1}).fetch1()
    (lab.Subject & {"subject_id": 1}).delete()
    return {
        "rows": [len(table()) for table in tables[:1]],
        "left": [len(table()) for table in tables],
        "arr": np.asarray(session["arr"]).tolist(),
        "bigb": session["bigb"]["q"].tolist(),
        "mate": session["mate_id"],
        "z": (lab.Ana & {"session_idx": 0, "species": "rat"}).fetch1("z")["a"].tolist(),
        "lineage": len(lab.Ana * lab.Spec * lab.Session * lab.Subject.proj()),
    }


@pytest.mark.parametrize("schema", ["lab", "lab_copy"])
def test_datajoint_reads_a_restored_archive(
    lab: Any, elsewhere: Database, datajoint: str, empty_url: str, tmp_path: Path, schema: str
) -> None:
    lab.schema.dump(tmp_path / "kept")
    dj.restore(tmp_path / "kept", connection=elsewhere, schema=schema)
    peer = Peer(datajoint, empty_url, stores_of(elsewhere.settings), tmp_path)
    assert peer(reads_all, schema=schema) == {
        "rows": [2],
        "left": [2, 2, 1, 0, 1, 2, 6],
        "arr": list(range(10)),
        "bigb": np.eye(2).tolist(),
        "mate": 1,
        "z": [0, 1, 2],
        "lineage": 2,
    }
    assert len(lab.Session()) == 3


def test_a_delete_that_is_taken_back_changes_nothing_for_datajoint(
    lab: Any, lab_peer: Peer, tmp_path: Path
) -> None:
    assert lab.Species.delete(prompt=False, archive=tmp_path / "kept") == 2
    assert len(lab.Session()) == len(lab.Ana()) == 0
    dj.restore(tmp_path / "kept", connection=lab.schema.connection)
    assert lab_peer(reads_all, schema="lab")["left"] == [2, 2, 1, 0, 1, 2, 6]


def test_lineage_of_datajoint_is_sound_and_rebuilt_to_the_same(lab: Any) -> None:
    database = lab.schema.connection
    query = 'SELECT * FROM lab."~lineage" ORDER BY 1, 2'
    before = database.query(query)
    checked = dj.migrate.verify_schema_v20("lab", connection=database)
    assert (checked["compatible"], checked["issues"]) == (True, [])
    lab.schema.rebuild_lineage()
    assert database.query(query) == before
    lab.Spec.drop(prompt=False)
    assert dj.migrate.verify_schema_v20("lab", connection=database)["compatible"]
