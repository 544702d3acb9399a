"""The pipeline of `pipeline.txt` as classes, over a database and an object store that DataJoint made."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.interop.peer import VARIABLE, Peer, datajoint_python, stores_of
from tests.interop.pipeline import declare, fill

import djflow as dj
from djflow.configuration import Settings, changed, load
from djflow.relation.database import Database


@pytest.fixture
def lab_settings(lab_url: str, interop: Path, tmp_path: Path) -> Settings:
    """Settings that name the restored database, and a copy of the object store as `main`."""
    store = tmp_path / "store"
    shutil.copytree(interop / "store", store)
    parts = conninfo_to_dict(lab_url)
    server = {key: str(value) for key, value in parts.items() if key in ("host", "user", "password")}
    settings = load({"DJFLOW_HOME": str(tmp_path), "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path)
    return changed(
        settings,
        {
            "database": {**server, "port": int(parts.get("port") or 5432), "name": parts["dbname"]},
            "stores": {"default": "main", "main": {"protocol": "file", "location": str(store)}},
            "jobs": {"add_job_metadata": True},
        },
    )


@pytest.fixture
def lab_database(lab_settings: Settings) -> Iterator[Database]:
    """The restored database as `dj.conn()` would give it."""
    opened = Database(lambda: lab_settings)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def datajoint() -> str:
    """The Python that has DataJoint; tests that ask for it are skipped where there is none."""
    python = datajoint_python()
    if python is None:
        pytest.skip(f"DataJoint is not installed: `make interop` installs it, or {VARIABLE} names its Python")
    return python


@pytest.fixture
def lab_peer(datajoint: str, lab_url: str, lab_settings: Settings, tmp_path: Path) -> Peer:
    """DataJoint in the restored database, with the same stores."""
    return Peer(datajoint, lab_url, stores_of(lab_settings), tmp_path)


@pytest.fixture
def peer(datajoint: str, server_url: str, database: Database, tmp_path: Path) -> Peer:
    """DataJoint in the tests' database, with the same stores."""
    return Peer(datajoint, server_url, stores_of(database.settings), tmp_path)


@pytest.fixture(params=["classes", "no classes"])
def any_lab(request: pytest.FixtureRequest, lab_database: Database) -> Any:
    """The pipeline, by its classes or as a virtual schema."""
    if request.param == "classes":
        return request.getfixturevalue("lab")
    return dj.virtual_schema("lab", connection=lab_database)


@pytest.fixture
def lab(lab_database: Database) -> Any:
    """The classes of the pipeline; nothing but a `make` that works distinguishes them from the original."""
    schema = dj.Schema("lab", connection=lab_database)

    @schema
    class Species(dj.Lookup):
        definition = """
        # species
        species : varchar(20)
        """

    @schema
    class Subject(dj.Manual):
        definition = """
        # Animal subjects
        subject_id : int32   # id
        ---
        -> Species
        name = null : varchar(40)   # nick
        sex = 'U' : enum('M','F','U')
        dob : date
        weight : decimal(8,3)
        uid = null : uuid
        meta = null : json
        ts = CURRENT_TIMESTAMP : datetime
        f : float32
        b : bool
        raw = null : bytes
        unique index (name)
        index (dob, sex)
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session_idx : int16
        ---
        session_date : date
        -> [nullable] Subject.proj(mate_id='subject_id')
        trace : <blob>
        arr : <npy@main>
        bigb : <blob@main>
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int8
            ---
            rt = null: float64
            """

    @schema
    class Cfg(dj.Lookup):
        definition = """
        # singleton
        ---
        a : int32
        """

    @schema
    class Spec(dj.Imported):
        definition = """
        -> Session
        ---
        x : float64
        """

    @schema
    class Ana(dj.Computed):
        definition = """
        -> Spec
        -> Species
        ---
        y : float64
        z : <blob>
        """

        class P(dj.Part):
            definition = """
            -> master
            i : int32
            ---
            v : float32
            """

        def make(self, key: dict[str, Any]) -> None:
            x = (Spec & key).fetch1("x")
            self.insert1({**key, "y": 2 * x, "z": {"a": np.arange(3), "k": key}})
            self.P().insert([{**key, "i": i, "v": i / 2} for i in range(3)])

    return SimpleNamespace(
        schema=schema,
        Species=Species,
        Subject=Subject,
        Session=Session,
        Cfg=Cfg,
        Spec=Spec,
        Ana=Ana,
    )


@pytest.fixture
def ours(schema: dj.Schema) -> SimpleNamespace:
    """A pipeline that djflow declared and filled."""
    tables = declare(dj, schema)
    fill(tables)
    return tables
