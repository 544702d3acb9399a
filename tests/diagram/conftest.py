"""A pipeline over three schemas, with foreign keys of all kinds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from tests.diagram.naive_propagation import NaiveTable, Reference, Tables, naive_tables

import djflow as dj
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CoreType
from djflow.relation.database import Database
from djflow.sql.identifiers import qualified
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema
from djflow.testing.databases import databases

INT32: Final = CoreType("int32")


@dataclass(frozen=True)
class World:
    """Tables on a server; `classes` are theirs by name."""

    database: Database
    catalog: Catalog
    classes: SimpleNamespace

    def fill(self, stored: Mapping[TableName, list[dict[str, Any]]]) -> Tables:
        """Have these rows in the tables and nothing else."""
        every = ", ".join(qualified(table.name) for table in self.catalog)
        self.database.query(f"TRUNCATE {every}")
        for table in self.catalog:
            if stored[table.name]:
                FreeTable(self.database, table).insert(stored[table.name], allow_direct_insert=True)
        return naive_tables([_naive(table, stored[table.name]) for table in self.catalog])

    def rows(self) -> st.SearchStrategy[dict[TableName, list[dict[str, Any]]]]:
        """Rows for all tables."""
        return _stored(self.catalog)


def _naive(table: Table, rows: list[dict[str, Any]]) -> NaiveTable:
    references = tuple(Reference(key.parent, key.columns) for key in table.foreign_keys)
    return NaiveTable(table.name, table.primary_key, references, tuple(rows), table.name.master)


def _without_itself(table: Table) -> Table:
    """The table with columns of integers, and without references to itself: these need rows to refer to."""
    keys = tuple(key for key in table.foreign_keys if key.parent != table.name)
    columns = tuple(replace(column, type=INT32, stored=INT32) for column in table.columns)
    return replace(table, columns=columns, foreign_keys=keys)


@st.composite
def _stored(draw: st.DrawFn, catalog: Catalog) -> dict[TableName, list[dict[str, Any]]]:
    apart = [_without_itself(table) for table in catalog]
    stored = draw(databases(apart, 4))
    for table in catalog:
        for key in table.foreign_keys:
            if key.parent == table.name:
                for row in stored[table.name]:
                    other = draw(st.sampled_from([None, *stored[table.name]]))
                    row |= {own: other and other[its] for own, its in key.columns}
    return stored


@pytest.fixture
def world(database: Database, schema_name: str) -> Iterator[World]:
    """Renamed, nullable, self-referencing foreign keys, several paths to one table, parts of parts."""
    lab, rig, ana = (Schema(f"{schema_name}_{end}", connection=database) for end in ("lab", "rig", "ana"))
    classes = SimpleNamespace(lab=lab, rig=rig, ana=ana)
    _declare_lab(classes)
    _declare_others(classes)
    for schema in (lab, rig, ana):
        schema.create()
    _add_by_hand(database, lab.database)
    yield World(database, database.catalog([lab.database, rig.database, ana.database]), classes)
    for schema in (ana, rig, lab):
        schema.drop(prompt=False)


def _add_by_hand(database: Database, lab: str) -> None:
    """What databases have, though no definition says so: references of a table to itself, parts of parts."""
    subject, trial, spike = (
        qualified(TableName(lab, name)) for name in ("subject", "session__trial", "session__spike")
    )
    database.query(f"ALTER TABLE {subject} ADD COLUMN mother int4 REFERENCES {subject}")
    database.query(f"""
        CREATE TABLE {spike} (
            animal int4, session int4, run int4, spike int4, PRIMARY KEY (animal, session, run, spike),
            FOREIGN KEY (animal, session, run) REFERENCES {trial} (subject, session, trial)
        )
    """)


def _declare_lab(found: SimpleNamespace) -> None:
    lab = found.lab

    @lab
    class Species(dj.Lookup):
        definition = "species : int32"

    @lab
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        -> Species
        """

    @lab
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int32
        ---
        -> [nullable] Subject.proj(mate='subject')
        """

        class Trial(dj.Part):
            definition = """
            -> master
            trial : int32
            """

    found.__dict__.update(Species=Species, Subject=Subject, Session=Session)


def _declare_others(found: SimpleNamespace) -> None:
    rig, ana = found.rig, found.ana
    Subject, Session = found.Subject, found.Session  # noqa: N806 - classes

    @rig
    class Rig(dj.Manual):
        definition = "rig : int32"

    @rig
    class Setup(dj.Manual):
        definition = """
        -> Session
        -> Rig
        """

    @ana
    class Pair(dj.Manual):
        definition = """
        -> Subject.proj(first='subject')
        -> Subject.proj(second='subject')
        """

    @ana
    class Fit(dj.Computed):
        definition = """
        -> Setup
        ---
        -> Subject.proj(reference='subject')
        -> [nullable] Pair
        """

        class Item(dj.Part):
            definition = """
            -> master
            item : int32
            ---
            -> [nullable] Session.Trial.proj(of='subject', on='session', at='trial')
            """

    assert Subject is not Session
    found.__dict__.update(Rig=Rig, Setup=Setup, Pair=Pair, Fit=Fit)
