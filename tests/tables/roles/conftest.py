"""Roles of the tests' server, and a pipeline that they share."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import djflow as dj
from djflow.configuration import changed
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema

Connect = Callable[[str], Database]


@pytest.fixture
def new_role(server_url: str) -> Iterator[Callable[[str], str]]:
    """Makes roles that may log in; they and what they own are dropped afterwards."""
    made: list[str] = []

    def make(name: str) -> str:
        role = f"{name} {uuid4().hex[:6]}"
        with psycopg.connect(server_url, autocommit=True) as admin:
            admin.execute(f"CREATE ROLE {quote(role)} LOGIN".encode())
        made.append(role)
        return role

    yield make
    with psycopg.connect(server_url, autocommit=True) as admin:
        for role in made:
            admin.execute(f"DROP OWNED BY {quote(role)}".encode())
            admin.execute(f"DROP ROLE {quote(role)}".encode())


@pytest.fixture
def connect_as(server_url: str, database: Database) -> Iterator[Connect]:
    """Opens the tests' database as another role."""
    opened: list[Database] = []

    def connect(role: str) -> Database:
        server = conninfo_to_dict(server_url)
        where = {"host": server["host"], "port": int(server["port"] or 5432), "name": server["dbname"]}
        settings = changed(database.settings, {"database": {**where, "user": role}})
        opened.append(Database(lambda: settings))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


@pytest.fixture
def lab(schema: Schema) -> Schema:
    declare_pipeline(schema)
    schema.create()
    schema.registry.by_name["Subject"]().insert([(1, "mouse"), (2, "rat")])
    return schema


@pytest.fixture
def tables_of() -> Callable[[Database, str], dict[str, FreeTable]]:
    """The tables of a schema as somebody sees them who has no classes."""

    def found(database: Database, name: str) -> dict[str, FreeTable]:
        return {
            table.name.class_path: FreeTable(database, table)
            for table in database.catalog([name])
            if table.name.schema == name
        }

    return found


@pytest.fixture
def redeclared() -> Callable[[Database, str], dict[str, Any]]:
    """The same pipeline in the program of a colleague, who imports the same module: classes by name."""

    def declared(database: Database, name: str) -> dict[str, Any]:
        schema = Schema(name, connection=database)
        declare_pipeline(schema)
        return dict(schema.registry.by_name)

    return declared


def declare_pipeline(schema: Schema) -> None:
    @schema
    class Kind(dj.Lookup):
        definition = "kind : enum('mouse', 'rat')"
        contents = (("mouse",), ("rat",))

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        -> Kind
        """

        class Note(dj.Part):
            definition = """
            -> master
            note : int32
            """

    @schema
    class Weight(dj.Computed):
        definition = """
        -> Subject
        ---
        grams : float64
        """

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "grams": 20.0})
