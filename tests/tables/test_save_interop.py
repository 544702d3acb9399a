"""A database that DataJoint made is declared again by the module that djflow writes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.backend.introspect import introspect
from djflow.configuration import changed, load
from djflow.relation.database import Database
from djflow.sql.ddl import drop_schema


@pytest.fixture
def lab_database(lab_url: str, tmp_path: Path) -> Iterator[Database]:
    parts = conninfo_to_dict(lab_url)
    server = {key: str(value) for key, value in parts.items() if key in ("host", "user", "password")}
    settings = load({"DJFLOW_HOME": str(tmp_path), "DJ_IGNORE_CONFIG_FILE": "true"}, tmp_path)
    place = {**server, "port": int(parts.get("port") or 5432), "name": parts["dbname"]}
    settings = changed(settings, {"database": place})
    opened = Database(lambda: settings)
    yield opened
    opened.close()


def test_a_database_of_datajoint_is_declared_again(lab_database: Database) -> None:
    text = dj.Schema("lab", connection=lab_database).save(contents=True)
    assert "not declared here" not in text.replace("contents, which are left out", "")
    before = introspect(lab_database.session.connection, ["lab"]).tables
    lab_database.query(drop_schema("lab"))
    names: dict[str, Any] = {"database": lab_database}
    exec(text.replace('("lab")', '("lab", connection=database)'), names)  # noqa: S102 - our own text
    schema: dj.Schema = names["schema"]
    schema.create()
    assert introspect(lab_database.session.connection, ["lab"]).tables == before
    assert len(schema["Species"]) > 0
    assert len(schema["Cfg"]) == 1


def test_tables_of_datajoint_are_reached_without_classes(lab_database: Database) -> None:
    lab = dj.virtual_schema("lab", connection=lab_database)
    assert dir(lab) == ["Ana", "Cfg", "Session", "Spec", "Species", "Subject", "schema"]
    assert len(lab.Ana * lab.Spec * lab.Session) == len(lab.Ana()) > 0
    assert len(lab.Ana.P()) == len(dj.FreeTable(lab_database, "`lab`.`__ana__p`"))
    assert lab.Session().heading["mate_id"].lineage == "lab.subject.subject_id"
